// Keeps what is at work up to date. Every page does without: it is made on the server, and loads itself anew.
"use strict";
(() => {
  const main = document.getElementById("main");
  const announce = document.getElementById("announce");
  const say = (text) => { if (announce && announce.textContent !== text) announce.textContent = text; };

  // Numbers as the pages say them.
  const bytes = (count) => {
    if (count < 1024) return `${count} B`;
    const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let value = count / 1024, unit = 0;
    while (value >= 1000 && unit < units.length - 1) { value /= 1024; unit += 1; }
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${units[unit]}`;
  };
  const took = (seconds) => {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 10) return `${whole}.0 s`;
    if (whole < 120) return `${whole} s`;
    if (whole < 3600) return whole % 60 === 0 || whole >= 600 ? `${Math.floor((whole + 30) / 60)} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  };
  const numbers = (progress) => {
    if (!progress) return "No numbers yet";
    const said = (count) => progress.unit === "bytes" ? bytes(count) : count.toLocaleString("en");
    const unit = progress.unit === "bytes" ? "" : ` ${progress.unit}`;
    const parts = [];
    if (progress.percent !== null && progress.percent !== undefined) parts.push(`${progress.percent.toFixed(0)} %`);
    parts.push(progress.total ? `${said(progress.done)} of ${said(progress.total)}${unit}` : `${said(progress.done)}${unit}`);
    if (progress.seconds_left) parts.push(`about ${took(progress.seconds_left)} left`);
    return parts.join(" · ");
  };

  // The page is asked for anew, and its parts take the place of those that are shown. Forms that somebody fills in stand outside of them.
  let asked = false, again = false;
  const renew = async () => {
    if (asked) { again = true; return; }
    asked = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store", redirect: "manual" });
      if (answer.status === 401 || answer.type === "opaqueredirect") { location.reload(); return; }
      if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch (_) {
      // The stream of events says when it is there again.
    }
    setTimeout(() => { asked = false; if (again) { again = false; renew(); } }, 700);
  };
  const take = (page) => {
    const focused = document.activeElement && document.activeElement.id;
    const opened = [...document.querySelectorAll("[data-part] details")].map((one) => one.open);
    for (const part of document.querySelectorAll("[data-part]")) {
      const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
      if (fresh && fresh.outerHTML !== part.outerHTML) part.replaceWith(document.adoptNode(fresh));
    }
    const details = [...document.querySelectorAll("[data-part] details")];
    if (details.length === opened.length) details.forEach((one, at) => { one.open = opened[at]; });
    // Of what is at work, the newest line is the one to read.
    if (document.querySelector("[data-run]")) for (const log of document.querySelectorAll(".log")) log.scrollTop = log.scrollHeight;
    if (focused && (!document.activeElement || document.activeElement === document.body)) document.getElementById(focused)?.focus();
  };

  const sign = (run) => `${run.standing}|${run.step || ""}|${run.phase || ""}|${run.steps.length}`;
  const over = (run) => run.standing === "ended" || run.standing === "crashed";
  const onRun = (run) => {
    const shown = document.querySelector(`[data-run="${CSS.escape(run.id)}"]`);
    if (!shown) {
      if (!over(run)) renew();
      return;
    }
    if (over(run)) say(`${shown.dataset.kind}: ${run.outcome || "crashed"}`);
    if (shown.dataset.sign !== sign(run)) { renew(); return; }
    const bar = shown.querySelector("progress"), text = shown.querySelector("[data-field=numbers]");
    const percent = run.progress && run.progress.percent;
    if (bar && typeof percent === "number") bar.value = percent; else if (bar) bar.removeAttribute("value");
    if (text) text.textContent = numbers(run.progress);
  };
  let stood = null;
  const onSites = (sites) => {
    const now = JSON.stringify(sites);
    const shown = new Set([...document.querySelectorAll("[data-run]")].map((one) => one.dataset.run));
    const unseen = sites.some((site) => site.at_work && !shown.has(site.at_work));
    if ((stood !== null && stood !== now) || (stood === null && unseen)) renew();
    stood = now;
  };

  const address = main && main.dataset.events;
  let stream = null;
  const listen = () => {
    stream = new EventSource(address);
    stream.addEventListener("sites", (event) => onSites(JSON.parse(event.data)));
    stream.addEventListener("run", (event) => onRun(JSON.parse(event.data)));
    stream.onerror = () => {
      if (stream.readyState === EventSource.CLOSED) { setTimeout(() => { renew(); listen(); }, 5000); }
    };
  };
  if (address && document.querySelector("[data-part]")) {
    listen();
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  // "3 hours ago" goes on being right.
  const units = [[31557600, "year", 3], [2629800, "month", 3], [604800, "week", 6], [86400, "day", 1.5], [3600, "hour", 2], [60, "minute", 1]];
  const span = (seconds) => {
    for (const [length, name, least] of units) {
      if (seconds >= length * least) {
        const count = Math.round(seconds / length);
        return `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
      }
    }
    return `${seconds} second${seconds === 1 ? "" : "s"}`;
  };
  const relative = (moment) => {
    const seconds = Math.trunc((Date.now() - moment) / 1000);
    if (Math.abs(seconds) < 10) return "just now";
    return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
  };
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const text = relative(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  }, 20000);

  // A button that replaces a site works once the name is right; one that takes its time says so.
  for (const form of document.querySelectorAll("form[data-confirm]")) {
    const name = form.querySelector("input[name=name]"), button = form.querySelector("button");
    const look = () => { button.disabled = name.value.trim() !== form.dataset.confirm; };
    name.addEventListener("input", look);
    look();
  }
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button[type=submit]");
      // After the form was taken: a button that is off is not sent.
      setTimeout(() => {
        if (button) button.disabled = true;
        if (form.dataset.busy && button) button.textContent = form.dataset.busy;
        if (form.dataset.busy) say(form.dataset.busy);
      }, 0);
    });
  }
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form[method=post]:not([data-confirm]) button:disabled")) button.disabled = false;
  });
  addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector("[data-key='/']");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });
})();
