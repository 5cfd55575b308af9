// The lobby before a call: a camera preview, the choice of devices, and any problems with them.

import { h, icon } from "../dom.js";
import { form } from "../forms.js";
import { copyButton } from "./copy_button.js";

export function lobbyView({ roomId, media, join }) {
  const preview = h("video", { class: "mirrored", autoplay: true, muted: true, playsInline: true, "aria-label": "Your camera" });
  const noPicture = h("p", { class: "no-picture" }, "Your camera is off");
  const problems = h("div", { class: "problems", role: "status" });
  const microphone = h("button", { class: "button", onclick: () => media.toggleMicrophone() });
  const camera = h("button", { class: "button", onclick: () => media.toggleCamera() });
  const selects = h("div", { class: "devices" });

  const update = async () => {
    const { audio, video } = media.state;
    const track = media.tracks.video;
    if (preview.srcObject?.getVideoTracks()[0] !== track) preview.srcObject = track && new MediaStream([track]);
    noPicture.hidden = Boolean(track);
    label(microphone, "microphone", audio, "Microphone");
    label(camera, "camera", video, "Camera");
    problems.replaceChildren(...Object.values(media.problems).map((text) => h("p", { class: "problem" }, text)));
    if (Object.keys(media.problems).length) problems.append(h("p", { class: "hint" }, "You can join anyway: you still see and hear the others."));
    await chooseDevices(selects, media);
  };
  media.addEventListener("change", update);
  update();

  const element = h(
    "section",
    { class: "card lobby" },
    h("h1", {}, "Ready to join?"),
    h("div", { class: "preview" }, preview, noPicture),
    h("div", { class: "row" }, microphone, camera),
    selects,
    problems,
    h("div", { class: "row spread" }, form({ button: "Join the call", fields: [], submit: join }), copyButton(roomId)),
  );
  return { element, leave: () => media.removeEventListener("change", update) };
}

function label(button, name, on, words) {
  button.setAttribute("aria-pressed", String(on));
  button.replaceChildren(icon(name, !on), `${words} ${on ? "on" : "off"}`);
}

async function chooseDevices(place, media) {
  const devices = await media.devices();
  const choices = Object.entries(devices).filter(([, list]) => list.length > 1);
  place.replaceChildren(
    ...choices.map(([device, list]) => {
      const current = media.tracks[device === "camera" ? "video" : "audio"]?.getSettings().deviceId;
      const options = list.map(({ deviceId, label }, index) => h("option", { value: deviceId, selected: deviceId === current }, label || `${device} ${index + 1}`));
      const choose = ({ target }) => {
        media.chosen[device] = target.value;
        media.open(device);
      };
      return h("label", { class: "field" }, device === "camera" ? "Camera" : "Microphone", h("select", { onchange: choose }, options));
    }),
  );
}
