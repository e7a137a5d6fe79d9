-- SPDX-License-Identifier: Apache-2.0
-- The shop's database: made once, on db. The password is also in server.xml.
CREATE ROLE shop LOGIN PASSWORD 'apples and pears';
CREATE DATABASE shop OWNER shop;
\connect shop
SET ROLE shop;
CREATE TABLE orders (number text PRIMARY KEY, items text NOT NULL);
