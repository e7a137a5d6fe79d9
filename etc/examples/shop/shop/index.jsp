<%-- SPDX-License-Identifier: Apache-2.0 --%>
<%@ page contentType="text/plain; charset=UTF-8" import="java.sql.*, java.util.*, javax.naming.InitialContext, javax.sql.DataSource" %>
<%!
    // Written once, however often it is tried: while the database is restarted an order waits.
    void order(String number, String items) throws Exception {
        DataSource orders = (DataSource) new InitialContext().lookup("java:comp/env/jdbc/orders");
        for (long end = System.currentTimeMillis() + 15000;; Thread.sleep(200)) {
            try (Connection database = orders.getConnection();
                 PreparedStatement write = database.prepareStatement("INSERT INTO orders VALUES (?, ?) ON CONFLICT DO NOTHING")) {
                write.setString(1, number);
                write.setString(2, items);
                write.executeUpdate();
                return;
            } catch (SQLException error) {
                if (System.currentTimeMillis() > end) throw error;
            }
        }
    }
%><%
    List<String> shelf = Arrays.asList("apples", "pears", "plums");
    @SuppressWarnings("unchecked")
    List<String> cart = (List<String>) session.getAttribute("cart");
    if (cart == null) cart = new ArrayList<>();
    if (shelf.contains(request.getParameter("add"))) {
        cart.add(request.getParameter("add"));
        session.setAttribute("cart", cart); // tells the other Tomcat; so an attribute is set anew when it changes
    }
    String bought = "", items = cart.isEmpty() ? "nothing" : String.join(", ", cart);
    if (request.getParameter("order") != null && !cart.isEmpty()) {
        if (session.getAttribute("order") == null) session.setAttribute("order", UUID.randomUUID().toString());
        bought = (String) session.getAttribute("order");
        order(bought, items);
        session.removeAttribute("cart");
        session.removeAttribute("order");
    }
    response.setHeader("Cache-Control", "no-store");
%><%= bought.isEmpty() ? "In the cart: " + items : "Ordered: " + items + " (" + bought + ")" %>
Kept by: <%= System.getProperty("route") %>
Client: <%= request.getRemoteAddr() %>
