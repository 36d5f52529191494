"use strict";
const STAGES = ["lead", "qualified", "opportunity", "quoted", "won", "ordered", "delivered", "invoiced", "paid"];
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const byId = (id) => document.getElementById(id);
const chart = (id) => echarts.init(byId(id), dark ? "dark" : null);
const charts = { funnel: chart("funnel"), money: chart("money") };
addEventListener("resize", () => Object.values(charts).forEach((each) => each.resize()));

const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
function tile(title, value, mood) {
  const box = document.createElement("div");
  box.className = "tile " + (mood || "");
  box.append(element("b", value), element("span", title));
  return box;
}
function pick(rows, name) {
  const row = rows.find((each) => each.name === name);
  return row && row.value !== null ? row.value : null;
}
const percent = (value) => (value === null ? "n/a" : Number(value).toFixed(1) + " %");
const amount = (row) => Number(row.value).toLocaleString("en", { minimumFractionDigits: 2 }) + " " + row.name;
const money = (rows) => (rows.length ? rows.map(amount).join(", ") : "0");

function showNumbers(data) {
  const kpis = data.kpis;
  byId("now").textContent = "business time " + data.now.slice(0, 16).replace("T", " ");
  const rows = data.conservation.currencies;
  const median = pick(kpis.sales_cycle, "median");
  const residual = tile("conservation residual", rows.map((row) => row.residual + " " + row.currency).join(", ") || "0.00",
    rows.every((row) => Number(row.residual) === 0) ? "good" : "bad");
  residual.id = "residual";
  byId("tiles").replaceChildren(
    tile("win rate", percent(pick(kpis.win_rate, "by_count"))),
    tile("sales cycle, median days", median === null ? "n/a" : Number(median).toFixed(1)),
    tile("on-time delivery", percent(pick(kpis.on_time_delivery, "rate"))),
    tile("on-time collection", percent(pick(kpis.on_time_collection, "by_amount"))),
    tile("collected", money(kpis.collected)),
    tile("outstanding", money(kpis.outstanding)),
    tile("overdue", money(kpis.overdue_amount)),
    residual,
  );
  charts.funnel.setOption({
    backgroundColor: "transparent",
    tooltip: {},
    series: [{
      type: "funnel", sort: "none", left: 10, right: 10, top: 5, bottom: 5, label: { position: "inside", formatter: "{b}: {c}" },
      data: STAGES.map((name) => ({ name, value: Number(pick(kpis.funnel, name) || 0) })),
    }],
  });
  const steps = ["quoted", "ordered", "delivered", "invoiced", "gross", "paid", "open"];
  charts.money.setOption({
    backgroundColor: "transparent",
    tooltip: {}, legend: {}, grid: { left: 80, right: 10, bottom: 30 },
    xAxis: { type: "category", data: steps }, yAxis: { type: "value" },
    series: rows.map((row) => ({ name: row.currency, type: "bar", data: steps.map((step) => Number(row[step])) })),
  }, { replaceMerge: ["series"] });
}

function showEvent(event) {
  const list = byId("events");
  list.querySelectorAll(".quiet").forEach((each) => each.remove());
  const item = element("li", `${event.occurred_at.slice(0, 16)}  ${event.topic}  ${event.number || ""}`);
  item.addEventListener("click", () => event.flow_id && showJourney(event.flow_id));
  list.prepend(item);
  while (list.children.length > 60) list.lastChild.remove();
}

async function showJourney(flow) {
  const reply = await fetch("/v1/flows/" + encodeURIComponent(flow));
  const found = await reply.json();
  if (!reply.ok) return byId("journey").replaceChildren(element("li", found.detail));
  const hop = (step) => (step.hop_ms === null ? "" : `after ${step.hop_ms.toFixed(0)} ms`);
  return byId("journey").replaceChildren(...found.journey.map((step) => Object.assign(
    element("li", `${step.occurred_at.slice(0, 16)}  ${step.service}  ${step.topic}  ${step.number || ""}  ${hop(step)}`),
    { title: "trace " + step.trace_id })));
}

byId("search").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const found = await (await fetch("/v1/flows?q=" + encodeURIComponent(byId("q").value))).json();
  if (found.items && found.items.length) showJourney(found.items[0].flow_id);
  else byId("journey").replaceChildren(element("li", "nothing has this number"));
});

const source = new EventSource("/v1/stream");
source.addEventListener("open", () => { byId("link").textContent = "live"; byId("link").className = "on"; });
source.addEventListener("error", () => { byId("link").textContent = "reconnecting"; byId("link").className = "off"; });
source.addEventListener("kpis", (message) => showNumbers(JSON.parse(message.data)));
source.addEventListener("event", (message) => showEvent(JSON.parse(message.data)));
