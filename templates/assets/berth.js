"use strict";
// The panel works without this file. With it, pages follow what happens, uploads show their progress, and a few
// controls answer at once. All behaviour hangs on data attributes; the server renders every word of HTML.
(function () {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id), listenTo = (kind, fn) => document.addEventListener(kind, fn);
  const each = (selector, fn, within) => (within || document).querySelectorAll(selector).forEach(fn);

  // Theme: the system's, unless the visitor chose the other one. This runs before the first paint.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  root.classList.add("js");

  function toggleTheme() {
    const standing = system.matches ? "dark" : "light";
    const next = (root.dataset.theme || standing) === "dark" ? "light" : "dark";
    root.dataset.theme = next;
    if (next === standing) localStorage.removeItem("theme"); else localStorage.setItem("theme", next);
  }

  const announce = (text) => { byId("announcer").textContent = text; };
  // Times: the same words and thresholds as ago in format.go.
  const units = [[60, "minute", 3600], [3600, "hour", 172800], [86400, "day", 5184000], [2592000, "month", 63072000], [31536000, "year", Infinity]];
  function ago(then) {
    const seconds = (Date.now() - then) / 1000, distance = Math.abs(seconds);
    if (distance < 60) return "just now";
    const [length, noun] = units.find((unit) => distance < unit[2]);
    const n = Math.floor(distance / length), words = `${n} ${noun}${n === 1 ? "" : "s"}`;
    return seconds < 0 ? "in " + words : words + " ago";
  }
  const updateTimes = () => each("time[data-ago]", (time) => { time.textContent = ago(Date.parse(time.dateTime)); });

  // Controls that only work with this script are hidden until now.
  function reveal(within) {
    each("[data-js][hidden]", (element) => { element.hidden = false; }, within);
    each("form[data-confirm]", checkConfirmation, within);
    each("[data-preview]", preview, within);
  }

  const checkConfirmation = (form) => { form.querySelector("button[type=submit]").disabled = form.elements.confirm.value.trim() !== form.dataset.confirm; };
  const preview = (input) => { const target = byId(input.dataset.preview); target.textContent = input.value.trim().toLowerCase() || target.dataset.empty; };

  async function copy(button) {
    const source = byId(button.dataset.copy);
    getSelection().selectAllChildren(source);
    const done = await navigator.clipboard.writeText(source.textContent).then(() => true, () => false);
    button.textContent = done ? "Copied" : "Selected: press Ctrl+C";
    announce(button.textContent);
  }

  // Live fragments: [data-live] is fetched again and put in place by its id.
  const busy = new Map(); // address → whether to fetch once more afterwards
  const shown = new WeakMap(); // fragment → what it shows
  function refresh(site) {
    const concerned = [...document.querySelectorAll("[data-live]")].filter(({ dataset }) => !site || !dataset.site || dataset.site === site);
    new Set(concerned.map((fragment) => fragment.dataset.live)).forEach(fetchFragments);
  }

  async function fetchFragments(address) {
    if (busy.has(address)) { busy.set(address, true); return; }
    busy.set(address, false);
    try {
      const response = await fetch(address, { headers: { Accept: "text/html" } });
      if (response.redirected || response.status === 403) location.replace(location.pathname + location.search); // logged out
      if (response.status === 404 && location.pathname !== "/") location.assign("/"); // the site is gone
      if (response.ok) place(address, await response.text());
    } catch { setTimeout(() => fetchFragments(address), 1000); } // the event stream may live on where this request did not
    if (busy.get(address)) queueMicrotask(() => fetchFragments(address));
    busy.delete(address);
  }

  function place(address, html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    each("[data-live]", (old) => {
      const fresh = old.dataset.live === address && page.getElementById(old.id);
      if (fresh && shown.get(old) !== fresh.innerHTML) replace(old, fresh);
    });
  }

  const keyOf = (element) => element.id || element.getAttribute("aria-label") || element.getAttribute("href") || element.textContent;
  function replace(old, fresh) {
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
    const said = old.querySelector("[data-announce]")?.textContent;
    shown.set(old, fresh.innerHTML);
    old.replaceChildren(...fresh.childNodes);
    open.forEach((id) => { if (byId(id)) byId(id).open = true; });
    reveal(old);
    if (focused) [...old.querySelectorAll(focused.tagName)].find((e) => keyOf(e) === keyOf(focused))?.focus({ preventScroll: true });
    const says = old.querySelector("[data-announce]")?.textContent;
    if (says && says !== said) announce(says);
  }

  // Events: one stream for the page. A lost one is opened again, and then everything is fetched once.
  let lost = 0, wait = 1000, source = null;
  function listen() {
    source = new EventSource(document.body.dataset.events);
    source.onopen = () => {
      refresh(); // what happened since the page was rendered
      clearTimeout(lost);
      [lost, wait] = [0, 1000];
      byId("offline").hidden = true;
    };
    source.addEventListener("site", (event) => refresh(event.data));
    source.onerror = () => {
      if (!lost) lost = setTimeout(() => { byId("offline").hidden = false; }, 4000);
      if (source.readyState !== EventSource.CLOSED) return;
      refresh();
      setTimeout(listen, wait);
      wait = Math.min(wait * 2, 30000);
    };
  }

  // Upload: the form's own address, with progress. The answer is a page; its main part is shown in place.
  let sending = null;
  function unfit(form, source) { // source is the input, or what was dropped
    const file = source.files[0], items = [...(source.items || [])];
    if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) return "That is a folder. Pack it as a zip, then drop the zip here.";
    if (source.files.length > 1) return "Those are several files. Pack them as one zip, then drop it here.";
    if (!/\.(zip|html?)$/i.test(file.name)) return "That is not a zip. Pack your folder as a zip, then drop it here.";
    return file.size > (Number(form.dataset.max) || Infinity) ? form.dataset.tooLarge : "";
  }

  function send(form, source) {
    if (sending) return;
    const file = source.files[0], fault = unfit(form, source);
    rest(form, fault);
    if (fault) return;
    const request = sending = new XMLHttpRequest(), body = new FormData();
    body.append("file", file);
    request.open("POST", form.action);
    request.upload.onprogress = (event) => progress(form, file.name, event.loaded / event.total);
    request.upload.onload = () => { progress(form, file.name, 1); announce("Uploaded. Unpacking."); };
    request.onload = () => answer(form, request);
    request.onerror = () => rest(form, "The upload broke off. Check your connection, then try again.");
    request.onabort = () => { rest(form, ""); announce("Upload cancelled."); };
    progress(form, file.name, 0);
    announce("Uploading " + file.name);
    request.send(body);
  }

  function progress(form, name, part) {
    const bar = form.querySelector("progress"), percent = Math.floor(part * 100);
    form.classList.add("sending");
    form.querySelector("[data-progress]").hidden = false;
    form.querySelector("[data-cancel]").hidden = part === 1;
    form.querySelector("[data-progress-text]").textContent = part === 1 ? "Unpacking …" : `Uploading ${name}: ${percent} %`;
    if (part === 1) bar.removeAttribute("value"); else bar.value = percent;
  }

  function rest(form, text) {
    const place = form.querySelector("[data-upload-fault]");
    place.hidden = !text;
    place.querySelector("span").textContent = text;
    sending = null;
    form.reset();
    form.classList.remove("sending");
    form.querySelector("[data-progress]").hidden = true;
  }

  function answer(form, request) {
    const main = new DOMParser().parseFromString(request.responseText, "text/html").querySelector("main");
    rest(form, "");
    if (main?.querySelector("[data-upload]")) {
      byId("content").replaceChildren(...main.childNodes);
      reveal();
      announce(document.querySelector(".notice, .fault:not([hidden])")?.textContent || "");
      refresh();
      scrollTo({ top: 0 });
    } else if (request.status < 400) {
      location.assign(request.responseURL);
    } else {
      rest(form, main?.querySelector("[data-announce]")?.textContent || "The upload was refused. Load the page again and retry.");
    }
  }

  // Log: lines are added as they come, as long as the button is pressed.
  let following = null;
  async function follow(button) {
    if (following) return following.abort();
    const log = byId("log");
    following = new AbortController();
    button.setAttribute("aria-pressed", "true");
    try {
      const response = await fetch(`${button.dataset.follow}?${new URLSearchParams(new FormData(button.form))}`, { signal: following.signal });
      if (!response.ok) throw new Error(response.status);
      log.textContent = "";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) append(log, chunk.value);
    } catch { /* ended by the visitor or the server; the button shows it */ }
    following = null;
    button.setAttribute("aria-pressed", "false");
  }

  function append(log, text) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(text);
    while (log.childNodes.length > 2000) log.firstChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  listenTo("click", (event) => {
    const on = (name) => event.target.closest(`[data-${name}]`);
    if (on("theme-toggle")) toggleTheme();
    if (on("copy")) copy(on("copy"));
    if (on("follow")) follow(on("follow"));
    if (on("cancel")) sending?.abort();
    each("details[data-menu][open]", (menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });
  listenTo("keydown", (event) => {
    if (event.key === "Escape") each("details[data-menu][open]", (menu) => { menu.open = false; menu.querySelector("summary").focus(); });
  });
  listenTo("submit", (event) => { // Enter beside a button that follows
    const button = event.submitter?.matches(".without-script") && event.target.querySelector("[data-follow]");
    if (button) { event.preventDefault(); follow(button); }
  });
  listenTo("input", (event) => {
    if (event.target.form?.matches("[data-confirm]")) checkConfirmation(event.target.form);
    if (event.target.matches("[data-preview]")) preview(event.target);
  });
  listenTo("change", (event) => {
    if (event.target.matches("[data-upload] [type=file]") && event.target.files.length) send(event.target.form, event.target);
  });

  // Dropping works on the whole page, so a near miss does not leave it.
  ["dragover", "dragleave", "drop"].forEach((kind) => listenTo(kind, (event) => {
    const form = event.dataTransfer?.types.includes("Files") && document.querySelector("[data-upload]");
    if (!form) return;
    event.preventDefault();
    form.classList.toggle("dragging", kind === "dragover" || (kind === "dragleave" && event.relatedTarget !== null));
    if (kind === "drop" && event.dataTransfer.files.length) send(form, event.dataTransfer);
  }));
  addEventListener("beforeunload", (event) => { if (sending) event.preventDefault(); });
  addEventListener("pagehide", () => source?.close());
  const begin = () => { each("[data-live]", (fragment) => shown.set(fragment, fragment.innerHTML)); reveal(); if (document.body.dataset.events) listen(); };
  listenTo("DOMContentLoaded", () => {
    begin();
    setInterval(updateTimes, 30000);
    each("[data-every]", (fragment) => setInterval(() => {
      if (!document.hidden) fetchFragments(fragment.dataset.live);
    }, fragment.dataset.every * 1000));
    listenTo("visibilitychange", () => { if (!document.hidden) { updateTimes(); refresh(); } });
    byId("log")?.scrollTo(0, byId("log").scrollHeight);
  });
  addEventListener("pageshow", (event) => { if (event.persisted) begin(); });
})();
