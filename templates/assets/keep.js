"use strict";
// For pages with forms beside each other that are saved one by one: what was typed into the others outlives the save of one,
// for as long as the browser's tab. Passwords are not kept.
(function () {
  const place = document.querySelector("[data-keep]"), key = "kept " + place.dataset.keep;
  const inputs = "input:not([type=password], [type=hidden]), select, textarea";
  const unsaved = new Set();
  const mark = (form) => { unsaved.add(form); form.classList.add("unsaved"); };

  place.addEventListener("input", (event) => mark(event.target.form));
  place.addEventListener("submit", (event) => {
    const kept = {};
    unsaved.forEach((form) => {
      if (form !== event.target) form.querySelectorAll(inputs).forEach((input) => { kept[input.id] = input.value; });
    });
    sessionStorage.setItem(key, JSON.stringify(kept));
  });

  place.querySelectorAll("[aria-invalid]").forEach((input) => mark(input.form)); // what was refused is not saved either
  const kept = JSON.parse(sessionStorage.getItem(key)) || {};
  sessionStorage.removeItem(key);
  place.querySelectorAll(inputs).forEach((input) => {
    if (!(input.id in kept)) return;
    input.value = kept[input.id];
    mark(input.form);
  });
})();
