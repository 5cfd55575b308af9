// The lobby before a call: a camera preview, the choice of devices, and any problems with them.

import { h } from "../dom.js";
import { form } from "../forms.js";
import { copyButton } from "./copy_button.js";
import { cameraWords, deviceProblems, label, microphoneWords } from "./media_controls.js";

export function lobbyView({ roomId, media, join }) {
  const preview = h("video", { class: "mirrored", autoplay: true, muted: true, playsInline: true, "aria-label": "Your camera" });
  const noPicture = h("p", { class: "no-picture" }, "Your camera is off");
  const problems = deviceProblems(media, "You can join anyway and see and hear the others.");
  const microphone = h("button", { class: "button", onclick: () => media.toggleMicrophone() });
  const camera = h("button", { class: "button", onclick: () => media.toggleCamera() });
  const choice = deviceChoice(media);

  const update = () => {
    const track = media.tracks.camera;
    if (preview.srcObject?.getVideoTracks()[0] !== track) preview.srcObject = track && new MediaStream([track]);
    noPicture.hidden = Boolean(track);
    label(microphone, "microphone", microphoneWords(media), !media.state.audio);
    label(camera, "camera", cameraWords(media), !media.state.video);
    problems.update();
    choice.update();
  };
  media.addEventListener("change", update);
  update();

  const element = h(
    "section",
    { class: "card lobby" },
    h("h1", {}, "Ready to join?"),
    h("div", { class: "preview" }, preview, noPicture),
    h("div", { class: "row" }, microphone, camera),
    choice.element,
    problems.element,
    h("div", { class: "row spread" }, form({ button: "Join the call", fields: [], submit: join }), copyButton(roomId)),
  );
  return { element, leave: () => media.removeEventListener("change", update) };
}

const KINDS = { microphone: "Microphone", camera: "Camera" };

/** A select for each kind of device of which there is more than one. */
function deviceChoice(media) {
  const element = h("div", { class: "devices" });
  const selects = new Map();
  const update = async () => {
    const devices = await media.devices();
    for (const [device, list] of Object.entries(devices)) {
      const labels = list.map(({ deviceId, label }) => `${deviceId} ${label}`).join();
      // Rebuilding a select would lose its focus, so it is done only when the devices have changed.
      if (selects.get(device)?.labels !== labels) {
        selects.get(device)?.element.remove();
        const options = list.map(({ deviceId, label }, index) => h("option", { value: deviceId }, label || `${KINDS[device]} ${index + 1}`));
        const select = h("select", { onchange: ({ target }) => media.choose(device, target.value) }, options);
        const field = h("label", { class: "field" }, KINDS[device], select);
        selects.set(device, { labels, select, element: field });
        if (list.length > 1) element.append(field);
      }
      selects.get(device).select.value = media.current(device) ?? selects.get(device).select.value;
    }
  };
  return { element, update };
}
