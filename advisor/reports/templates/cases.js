"use strict";
// Shows the cases that are asked for and hides the others, a step at a time. It makes no element and writes only counts.
(() => {
  const $ = (name) => document.getElementById(`case-${name}`);
  const STEP = 20;
  const list = $("list"), filters = $("filters"), further = $("further"), rest = $("rest");
  const cases = [...list.querySelectorAll(".case")].map((element) => ({
    element,
    marks: element.dataset.m,
    label: element.dataset.l ?? "",
    part: element.dataset.h,
    text: [...element.querySelectorAll(".t")].map((part) => part.textContent).join("\n").toLowerCase(),
  }));
  let upto = STEP;

  const asked = () => Object.fromEntries(
    ["approach", "grade", "against", "label", "part", "text"].map((name) => [name, $(name) ? $(name).value : ""]));

  const differ = (one, other) => one !== "-" && other !== "-" && (one === "r") !== (other === "r");

  function disagree(marks, approach, against) {
    if (against === "") return true;
    if (against === "mixed") return marks.includes("r") && /[wp]/.test(marks);
    const mine = approach === "" ? [...marks] : [marks[approach]];
    return mine.some((mark) => differ(mark, marks[against]));
  }

  function matches(each, { approach, grade, against, label, part, text }) {
    const mine = approach === "" ? each.marks : each.marks[approach];
    return mine !== "-" && (grade === "" || mine.includes(grade)) && disagree(each.marks, approach, against)
      && (label === "" || each.label === label) && (part === "" || each.part === part)
      && each.text.includes(text.trim().toLowerCase());
  }

  function show() {
    const wanted = asked();
    const found = cases.filter((each) => matches(each, wanted));
    const shown = new Set(found.slice(0, upto));
    for (const each of cases) each.element.hidden = !shown.has(each);
    further.hidden = found.length <= upto;
    const first = further.hidden ? "" : `; the first ${upto} are shown`;
    $("count").textContent = `${found.length} of ${cases.length} ${cases.length === 1 ? "case" : "cases"}${first}`;
    return found;
  }

  const anew = () => { upto = STEP; show(); };
  filters.addEventListener("input", anew);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(anew));
  further.addEventListener("click", () => {
    upto += STEP;
    show()[upto - STEP].element.querySelector("summary").focus();
  });
  if (rest) {
    rest.open = true;
    rest.querySelector("summary").hidden = true;
  }
  filters.hidden = false;
  show();
})();
