<%-- SPDX-License-Identifier: Apache-2.0 --%>
<%@ page contentType="text/plain; charset=UTF-8" import="java.util.*" %>
<%
    List<String> shelf = List.of("apples", "pears", "plums");
    @SuppressWarnings("unchecked")
    List<String> cart = (List<String>) session.getAttribute("cart");
    if (cart == null) cart = new ArrayList<>();
    if (shelf.contains(request.getParameter("add"))) cart.add(request.getParameter("add"));
    session.setAttribute("cart", cart);
    response.setHeader("Cache-Control", "no-store");
%>In the cart: <%= cart.isEmpty() ? "nothing" : String.join(", ", cart) %>
Kept by: <%= System.getProperty("route") %>
Client: <%= request.getRemoteAddr() %>
