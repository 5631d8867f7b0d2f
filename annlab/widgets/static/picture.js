// A picture that can be clicked: a PNG drawn by Python, and the place of the last click.
//
// `picture` holds the PNG, `point` goes back as [x, y, number]: shares of width and height, and
// the number of the click, so that the same place twice is two messages.

function render({ model, el }) {
  const image = document.createElement("img");
  image.draggable = false;
  el.classList.add("annlab-picture");
  el.appendChild(image);
  let address = null;

  function show() {
    const bytes = model.get("picture");
    if (!bytes || !bytes.byteLength) return;
    const next = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    image.src = next;
    // the old picture stays until the new one is read, so nothing flickers
    if (address) URL.revokeObjectURL(address);
    address = next;
  }

  function describe() {
    image.alt = model.get("alt");
  }

  function click(event) {
    const box = image.getBoundingClientRect();
    if (!image.naturalWidth || !box.width) return;
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (x < 0 || x > 1 || y < 0 || y > 1) return;
    const number = (model.get("point")[2] || 0) + 1;
    model.set("point", [x, y, number]);
    model.save_changes();
  }

  show();
  describe();
  model.on("change:picture", show);
  model.on("change:alt", describe);
  image.addEventListener("click", click);
  return () => {
    model.off("change:picture", show);
    model.off("change:alt", describe);
    if (address) URL.revokeObjectURL(address);
  };
}

export default { render };
