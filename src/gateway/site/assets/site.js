// What is better with JavaScript. Every page works without it.
"use strict";

// A form is sent once; the server would book once anyhow.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    const button = form.querySelector("button[type=submit]");
    if (button.getAttribute("aria-disabled") === "true") event.preventDefault();
    button.setAttribute("aria-disabled", "true");
  });
}
// Gone back to, a page must not stay locked.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("button[aria-disabled=true]")) button.removeAttribute("aria-disabled");
});

// The day of departure stays after that of arrival.
const arrival = document.querySelector("input[name=checkIn]");
const departure = document.querySelector("input[name=checkOut]");
if (arrival && departure) {
  const bound = () => {
    const day = new Date(arrival.value + "T00:00:00Z");
    if (Number.isNaN(day.getTime())) return;
    day.setUTCDate(day.getUTCDate() + 1);
    const next = day.toISOString().slice(0, 10);
    departure.min = next;
    if (departure.value && departure.value < next) departure.value = next;
  };
  arrival.addEventListener("change", bound);
  bound();
}

// What only JavaScript can do is shown where there is some.
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// A booking, live: the server sends the part of the page anew with every change.
const live = document.querySelector("[data-live]");
if (live) {
  const say = document.getElementById("say");
  const lost = document.getElementById("lost");
  const source = new EventSource(live.dataset.live);
  source.addEventListener("stay", (event) => {
    lost.hidden = true;
    const part = document.createRange().createContextualFragment(event.data);
    const headline = part.querySelector("[data-say]");
    live.replaceChildren(part);
    // Read out only where it says something new.
    if (headline && say.textContent !== headline.dataset.say) say.textContent = headline.dataset.say;
  });
  source.addEventListener("over", () => source.close());
  source.addEventListener("error", () => {
    lost.hidden = false;
    // Closed for good: the server says no, perhaps because the session has ended.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  });
  source.addEventListener("open", () => { lost.hidden = true; });
}
