// The demo shop's page: a cart in this tab, and the calls that a real shop would make to the snippet.
(() => {
  window.regulars = window.regulars || [];
  const tell = (...call) => window.regulars.push(call);
  const cart = new Map(Object.entries(JSON.parse(sessionStorage.getItem("cart") || "{}")));

  const show = () => {
    sessionStorage.setItem("cart", JSON.stringify(Object.fromEntries(cart)));
    const list = document.getElementById("cart");
    list.replaceChildren(
      ...[...cart.values()].map((item) => {
        const line = document.createElement("li");
        const remove = document.createElement("button");
        line.textContent = `${item.quantity} x ${item.name} `;
        remove.textContent = "Remove";
        remove.addEventListener("click", () => {
          cart.delete(item.product_id);
          tell("removed", item);
          show();
        });
        line.append(remove);
        return line;
      }),
    );
    document.getElementById("cart-empty").hidden = cart.size > 0;
  };

  document.querySelectorAll(".add").forEach((button) =>
    button.addEventListener("click", () => {
      const { productId, name, category, price } = button.dataset;
      const quantity = (cart.get(productId)?.quantity || 0) + 1;
      const item = { product_id: productId, name, category, price: Number(price), quantity };
      cart.set(productId, item);
      tell("added", { ...item, quantity: 1 });
      show();
    }),
  );

  document.getElementById("checkout").addEventListener("click", () => tell("checkout", [...cart.values()], {}));

  document.getElementById("order").addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = document.getElementById("said");
    if (!cart.size) {
      said.textContent = "The cart is empty.";
      return;
    }
    const form = new FormData(event.target);
    const email = form.get("email");
    const newsletter = form.has("newsletter");
    tell("identify", email.toLowerCase(), { email, first_name: form.get("first_name") || undefined });
    const answer = await fetch("/orders", {
      method: "POST",
      body: JSON.stringify({ email, first_name: form.get("first_name"), newsletter, items: [...cart.values()] }),
    });
    const { order_id: orderId } = await answer.json();
    said.textContent = answer.ok ? `Thank you: order ${orderId}.` : "The order was refused.";
    if (answer.ok) {
      tell("ordered", { order_id: orderId, products: [...cart.values()] });
      cart.clear();
      show();
    }
  });

  document.getElementById("newsletter").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const email = form.get("email");
    tell("identify", email.toLowerCase(), { email, first_name: form.get("first_name") || undefined }, { email_marketing: true });
    document.getElementById("subscribed").textContent = "Welcome! Move the clock and look into the outbox.";
  });

  show();
})();
