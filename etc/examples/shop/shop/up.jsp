<%-- SPDX-License-Identifier: Apache-2.0. For the health check: no session is made for it. --%>
<%@ page contentType="text/plain" session="false" %>up
