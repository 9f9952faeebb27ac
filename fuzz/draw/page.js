
"use strict";
(function () {
  var rows = Array.prototype.slice.call(document.querySelectorAll("a.row"));
  var panels = Array.prototype.slice.call(document.querySelectorAll(".panel"));
  var chosen = 0, shown = 0;
  document.documentElement.classList.add("js");

  function show(n) {
    if (n === shown || n < 1 || n > rows.length) { return; }
    [[rows, "on"], [panels, "on"]].forEach(function (p) {
      if (shown) { p[0][shown - 1].classList.remove(p[1]); }
      p[0][n - 1].classList.add(p[1]);
    });
    shown = n;
  }

  function choose(n, focus) {
    n = Math.max(1, Math.min(rows.length, n));
    if (!rows.length) { return; }
    chosen = n;
    show(n);
    history.replaceState(null, "", "#step=" + n);
    if (focus) { rows[n - 1].focus({ preventScroll: true }); }
    rows[n - 1].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function fromAddress() {
    var m = /^#step=([0-9]{1,6})$/.exec(location.hash);
    return m ? parseInt(m[1], 10) : 0;
  }

  rows.forEach(function (row, i) {
    row.addEventListener("mouseenter", function () { show(i + 1); });
    row.addEventListener("focus", function () { show(i + 1); chosen = i + 1; });
    row.addEventListener("click", function (e) { e.preventDefault(); choose(i + 1, true); });
  });
  document.querySelector(".history").addEventListener("mouseleave", function () { show(chosen); });
  document.addEventListener("keydown", function (e) {
    if (e.ctrlKey || e.altKey || e.metaKey) { return; }
    var to = { ArrowDown: chosen + 1, j: chosen + 1, ArrowUp: chosen - 1, k: chosen - 1, Home: 1, End: rows.length }[e.key];
    if (to === undefined) { return; }
    e.preventDefault();
    choose(to, true);
  });
  window.addEventListener("hashchange", function () { choose(fromAddress() || chosen, true); });
  choose(fromAddress() || rows.length, false);
})();
