"use strict";
// Adds up costs at what is asked and takes the least; every status was settled before. The rule of preference is that of
// advisor/economics.py: the simplest among those than which none is clearly cheaper.
(() => {
  const $ = (name) => document.getElementById(`what-if-${name}`);
  const data = JSON.parse($("data").textContent);
  const STATES = { m: ["meets", "\u2713"], x: ["misses", "\u2715"], "?": ["undecided", "?"], "-": ["ruled out", "\u2013"] };
  const DURATIONS = [[86400, "days"], [3600, "h"], [60, "min"]];

  // ---- what it comes to

  const term = ([free, priced], hour, place) => free[place] + (priced[place] - free[place]) * hour;

  function monthly(candidate, volume, hour, prices) {
    const [free, priced] = candidate.at_least;
    const least = free + (priced - free) * hour;
    const tokens = (part, place) => prices.reduce((sum, price, which) => sum + price * candidate.tokens[which][part][place], 0);
    const each = (place) => term(candidate.each, hour, place) + tokens(1, place);
    const beside = (place) => term(candidate.beside, hour, place) + tokens(1, place);
    const kept = least > (each(0) - beside(0)) * volume;
    const answering = (place) => (kept ? least + beside(place) * volume : each(place) * volume);
    return [0, 1, 2].map((place) => term(candidate.fixed, hour, place) + tokens(0, place) + answering(place));
  }

  const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

  const ofTokens = data.unit.startsWith("tokens of ");  // Whose price is not known, but the same for all.
  const ends = ([value, low, high]) => [value, low, high, low + high - value];
  const clearlyMore = (one, other) => (
    ofTokens ? ends(one).every((end, which) => end > ends(other)[which]) : one[1] > other[2]);

  function first(rows) {
    return rows.filter((row) => !rows.some((other) => clearlyMore(row.cost, other.cost))).sort((one, other) =>
      compare(one.simplicity, other.simplicity) || compare(one.cost[0], other.cost[0]) || compare(one.name, other.name))[0];
  }

  function answer(goal, volume, hour, prices) {
    const costs = data.candidates.map((each) => monthly(each, volume, hour, prices));
    const over = costs.map((cost) => data.limit !== null && cost[1] > data.limit);
    const rows = data.candidates.map((each, place) => ({
      name: each.name, simplicity: each.simplicity, cost: costs[place],
      state: over[place] ? "-" : each.states[goal],
    }));
    const meeting = rows.filter((row) => row.state === "m");
    const open = rows.filter((row) => row.state === "?");
    if (!meeting.length) return { rows, safe: null, open };
    const safe = first(meeting);
    const others = [...open, ...meeting].filter((row) => row !== safe);
    return { rows, safe, open: others.filter((row) => first([...meeting, row]) !== safe) };
  }

  // ---- how it is said

  const grouped = (whole) => whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

  function digits(number) {
    if (number === 0) return "0";
    if (number >= 9.95) return grouped((number < 1000 ? number : Number(number.toPrecision(3))).toFixed(0));
    const shown = number.toFixed(Math.max(0, 1 - Math.floor(Math.log10(number))));
    return shown.includes(".") ? shown.replace(/0+$/, "").replace(/\.$/, "") : shown;
  }

  function money(value) {
    if (value < 0.095) return digits(value);
    return value < 100 ? value.toFixed(2) : grouped(Number(value.toPrecision(3)).toFixed(0));
  }

  function amount(value) {
    if (ofTokens) return `${digits(value)} ${data.unit}`;
    if (data.unit !== "machine s") return `${data.unit} ${money(value)}`;
    const [size, unit] = DURATIONS.find(([seconds]) => value >= 2 * seconds) || [1, "s"];
    return `${digits(value / size)} ${unit}`;
  }

  const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`);

  const [MEET, MEETS] = data.noun === "target"
    ? ["meet the target", "meets the target"] : ["come within the margin", "comes within the margin"];
  const within = data.limit === null ? "" : ` at no more than ${amount(data.limit)} a month`;
  const start = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

  function sentence({ safe, open }) {
    const names = listed(open.map((row) => row.name));
    if (!safe && !open.length) return `Nothing ${MEETS}${within}.`;
    if (!safe) return `Not decided: nothing is proven to ${MEET}; ${names} may.`;
    const proven = `it ${MEETS} at ${amount(safe.cost[0])} a month`;
    if (!open.length) return `Use ${safe.name}: ${proven}, and every approach that would be preferred to it misses or is ruled out.`;
    return `${start(safe.name)} is proven: ${proven}. ${start(names)} ${open.length > 1 ? "are" : "is"} undecided and would be preferred.`;
  }

  const made = (tag, text, attributes) => {
    const element = document.createElement(tag);
    element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  function row({ name, state, cost }, chosen) {
    const [word, glyph] = STATES[state];
    const line = made("tr", "", { role: "row", ...(chosen ? { class: "chosen" } : {}) });
    const status = made("td", "", { role: "cell", class: "short", "data-label": "status" });
    const mark = made("span", "", { class: `state state-${word.replace(" ", "-")}` });
    mark.append(made("span", glyph, { class: "glyph", "aria-hidden": "true" }), word);
    status.append(mark);
    line.append(
      made("th", name, { scope: "row", role: "rowheader" }),
      made("td", amount(cost[0]), { role: "cell", class: "number", "data-label": "a month" }),
      status,
    );
    return line;
  }

  // ---- what is asked

  const goal = $("goal"), volume = $("volume"), hour = $("hour");
  const tokens = data.prices.map((_, which) => $(`price-${which}`));
  const given = (field) => field.validity.valid && field.value !== "";

  function show() {
    const priced = [...(hour ? [hour] : []), ...tokens];
    const asked = [Number(goal.value), Number(volume.value), hour ? Number(hour.value) : 0, tokens.map((field) => Number(field.value))];
    const valid = [volume, ...priced].every(given);
    $("goal-shown").textContent = data.goals[asked[0]];
    goal.setAttribute("aria-valuetext", data.goals[asked[0]]);
    if (!valid) {
      $("answer").textContent = "Give a whole number of requests from 1 on" + (priced.length > 1 ? ", and prices from 0 on." : priced.length ? ", and a price from 0 on." : ".");
      $("rows").replaceChildren();
      return;
    }
    const found = answer(...asked);
    const rows = found.rows.sort((one, other) => one.cost[0] - other.cost[0]);
    $("answer").textContent = sentence(found);
    $("rows").replaceChildren(...rows.map((each) => row(each, each === found.safe)));
  }

  function reset() {
    goal.value = data.own === null ? Math.floor(data.goals.length * 0.8) - 1 : data.own;
    volume.value = data.volume;
    if (hour) hour.value = data.machine_hour;
    tokens.forEach((field, which) => { field.value = data.prices[which].value; });
    show();
  }

  const form = goal.form;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); reset(); });
  $("goal").closest("section").hidden = false;
  reset();
})();
