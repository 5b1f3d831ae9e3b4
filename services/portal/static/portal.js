"use strict";
// Pages work without this; it makes them quicker to the hand.
(() => {
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  for (const button of all("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      const said = button.textContent;
      button.textContent = "copied";
      setTimeout(() => (button.textContent = said), 1200);
    });
  }

  // The slider: arrows go to the publication before or after, the drag to any instant.
  const time = document.querySelector(".asof .time");
  if (time) {
    const range = time.querySelector("input");
    const first = Date.parse(time.dataset.first + "Z");
    const last = Date.parse(time.dataset.last + "Z");
    const said = document.querySelector(".asof b");
    const text = (ms) => new Date(ms).toISOString().slice(0, 19);
    const place = () => first + (range.value / range.max) * (last - first);
    const go = (asof) => {
      const address = new URL(location.href);
      if (asof) address.searchParams.set("asof", asof);
      else address.searchParams.delete("asof");
      location.assign(address);
    };
    range.hidden = false;
    range.addEventListener("input", () => {
      range.setAttribute("aria-valuetext", text(place()));
      said.textContent = text(place()).replace("T", " ");
    });
    range.addEventListener("change", () => go(+range.value >= +range.max ? "" : text(place())));
    range.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: ".earlier", ArrowDown: ".earlier", ArrowRight: ".later", ArrowUp: ".later" }[event.key];
      const night = { PageDown: -1, PageUp: 1 }[event.key];
      if (!step && !night && event.key !== "Home" && event.key !== "End") return;
      event.preventDefault();
      if (step) {
        const link = document.querySelector(".asof " + step);
        if (link) location.assign(link.href);
        else if (step === ".later") go("");
      } else if (night) {
        const at = Date.parse(time.dataset.at + "Z") + night * 86400000;
        go(at >= last ? "" : text(Math.max(at, first + 1000)));
      } else go(event.key === "End" ? "" : text(first + 1000));
    });
  }

  // Points of a light curve: arrows walk them, Enter or a click chooses one.
  for (const curve of all(".curve")) {
    const points = all(".p", curve);
    let walked = -1;
    const choose = (point) => {
      const address = new URL(location.href);
      address.searchParams.set("sel", point.dataset.visit);
      address.hash = "cutouts";
      location.assign(address);
    };
    const order = points
      .map((p) => [p, +p.querySelector("use").getAttribute("x")])
      .sort((a, b) => a[1] - b[1])
      .map((pair) => pair[0]);
    for (const point of points) point.addEventListener("click", () => choose(point));
    curve.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && order.length) {
        event.preventDefault();
        if (order[walked]) order[walked].classList.remove("walked");
        walked = (walked + step + order.length) % order.length;
        order[walked].classList.add("walked");
        curve.setAttribute("aria-label", order[walked].querySelector("title").textContent);
      } else if (event.key === "Enter" && order[walked]) choose(order[walked]);
    });
  }

  // The table browser: a click inserts at the cursor and replaces nothing that was not selected.
  const editor = document.getElementById("q");
  if (editor) {
    const insert = (text) => {
      if (editor.classList.contains("replaced"))
        editor.dispatchEvent(new CustomEvent("insert", { detail: text }));
      else editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
    };
    editor.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        editor.form.requestSubmit();
      }
    });
    let names;
    const known = () => (names ||= fetch(editor.dataset.names).then((said) => said.json()));
    const fill = async (table) => {
      if (table.querySelector("ul")) return;
      const list = document.createElement("ul");
      table.querySelector(".plain").replaceWith(list);
      for (const [name, unit, said] of (await known())[table.dataset.table]) {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "name";
        button.textContent = name;
        button.addEventListener("click", () => insert(name));
        const small = document.createElement("span");
        small.className = "quiet";
        small.textContent = unit;
        item.title = said;
        item.append(button, small);
        list.append(item);
      }
    };
    for (const table of all(".tables .table"))
      table.addEventListener("toggle", () => table.open && fill(table));

    // One question at a time, and only when the typing rests.
    let rest, asking;
    const verdict = document.getElementById("verdict");
    const check = async () => {
      if (asking) asking.abort();
      asking = new AbortController();
      try {
        const body = new URLSearchParams({ q: editor.value });
        const answer = await fetch("/query/check", { method: "POST", body, signal: asking.signal });
        const found = answer.ok ? await answer.json() : { said: "" };
        verdict.textContent = found.said;
        editor.dispatchEvent(
          new CustomEvent("verdict", { detail: { line: found.line, column: found.column, message: found.said } }),
        );
      } catch (error) {
        if (error.name !== "AbortError") verdict.textContent = "";
      }
    };
    editor.addEventListener("input", () => {
      clearTimeout(rest);
      rest = setTimeout(check, 400);
    });
    const filter = document.querySelector(".tables .filter");
    filter.hidden = false;
    filter.addEventListener("input", async () => {
      const wanted = filter.value.trim().toLowerCase();
      const found = await known();
      for (const table of all(".tables .table")) {
        const rows = found[table.dataset.table] || [];
        const hits = wanted ? rows.filter((r) => r.join(" ").toLowerCase().includes(wanted)) : rows;
        const named = table.dataset.table.toLowerCase().includes(wanted);
        table.hidden = Boolean(wanted) && !hits.length && !named;
        if (!wanted || table.hidden) continue;
        await fill(table);
        all("li", table).forEach((item, k) => (item.hidden = !named && !hits.includes(rows[k])));
        table.parentElement.open = true;
        table.open = hits.length > 0 && hits.length < 30;
      }
    });
  }

  // A row that is chosen in one view is chosen in all.
  for (const one of all("#answer [data-row]"))
    one.addEventListener("click", (event) => {
      if (event.target.closest("a")) return;
      const address = new URL(location.href);
      address.searchParams.set("row", one.dataset.row);
      history.replaceState(null, "", address);
      for (const other of all("#answer [data-row]")) {
        other.classList.toggle("on", other === one && other.tagName === "TR");
        other.classList.toggle("chosen", other === one && other.tagName !== "TR");
      }
      for (const tab of all(".tabs a")) {
        const there = new URL(tab.href);
        there.searchParams.set("row", one.dataset.row);
        tab.href = there;
      }
    });
})();
