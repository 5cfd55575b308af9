// Drawn people who sit before their cameras, for pictures of the client: the browser's own fake device shows a green disc.

/** A room behind each person, and what they look like. */
export const LOOKS = [
  { wall: ["#f2d8c4", "#c99a7c"], skin: "#e8b796", hair: "#3b2417", shirt: "#2f6f6a", lamp: true },
  { wall: ["#c7d7ea", "#7f9cc0"], skin: "#8d5a3c", hair: "#14100e", shirt: "#e0a33e", window: true },
  { wall: ["#d9e5d3", "#8fae88"], skin: "#f0c9a8", hair: "#b5652a", shirt: "#4b4f8f", plant: true, long: true },
  { wall: ["#e7dcef", "#9f86b8"], skin: "#c98f66", hair: "#4a3b36", shirt: "#b6475b", window: true, long: true },
  { wall: ["#efe7c9", "#bfa968"], skin: "#5d3a26", hair: "#201712", shirt: "#dfe6ee", plant: true },
];

/** Runs in a page before its scripts: the camera shows this look, upright on a phone; the microphone stays the browser's. */
export function showPerson({ look, upright }) {
  const original = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted.video) return original(wanted);
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = upright ? [720, 1280] : [1280, 720];
    const context = canvas.getContext("2d");
    const draw = () => portrait(context, canvas, performance.now() / 1_000);
    draw();
    setInterval(draw, 66);
    const stream = canvas.captureStream(15);
    const [track] = stream.getVideoTracks();
    track.getSettings = () => ({ deviceId: "drawn", width: canvas.width, height: canvas.height });
    return stream;
  };

  const ellipse = (context, colour, x, y, width, height) => {
    context.fillStyle = colour;
    context.beginPath();
    context.ellipse(x, y, width, height, 0, 0, 2 * Math.PI);
    context.fill();
  };
  function portrait(context, { width, height }, time) {
    const { wall, skin, hair, shirt, window, plant, lamp, long } = look;
    const ground = context.createLinearGradient(0, 0, width, height);
    wall.forEach((colour, index) => ground.addColorStop(index, colour));
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
    if (window) {
      context.fillStyle = "#eef6ff";
      context.fillRect(width * 0.06, height * 0.1, width * 0.2, height * 0.42);
      context.fillStyle = wall[1];
      context.fillRect(width * 0.155, height * 0.1, 10, height * 0.42);
    }
    if (plant) {
      for (const turn of [-0.5, -0.2, 0.1, 0.4]) {
        context.save();
        context.translate(width * 0.88, height * 0.78);
        context.rotate(turn);
        ellipse(context, "#4e7a4a", 0, -height * 0.18, 26, height * 0.2);
        context.restore();
      }
      context.fillStyle = "#a4583b";
      context.fillRect(width * 0.845, height * 0.76, width * 0.07, height * 0.14);
    }
    if (lamp) {
      ellipse(context, "#fff3cf", width * 0.87, height * 0.24, 90, 60);
      context.fillStyle = "#7a5a45";
      context.fillRect(width * 0.868, height * 0.3, 8, height * 0.7);
    }
    const size = Math.min(width, height);
    const [x, y] = [width / 2 + Math.sin(time * 0.8) * size * 0.012, height / 2 - size * 0.06 + Math.sin(time * 1.3) * size * 0.006];
    if (long) ellipse(context, hair, x, y + size * 0.1, size * 0.235, size * 0.33);
    ellipse(context, shirt, width / 2, y + size * 0.66, size * 0.44, size * 0.34);
    context.fillStyle = skin;
    context.fillRect(x - size * 0.065, y + size * 0.14, size * 0.13, size * 0.2);
    ellipse(context, "rgb(0 0 0 / 10%)", x, y + size * 0.25, size * 0.085, size * 0.04);
    ellipse(context, hair, x, y - size * 0.045, size * 0.195, size * 0.225);
    ellipse(context, skin, x, y + size * 0.02, size * 0.165, size * 0.215);
    context.fillStyle = hair;
    context.beginPath();
    context.ellipse(x, y - size * 0.11, size * 0.175, size * 0.105, 0, Math.PI, 2 * Math.PI);
    context.fill();
    const open = Math.sin(time * 0.9) > 0.985 ? 0.1 : 1;
    for (const side of [-1, 1]) {
      ellipse(context, "#ffffff", x + side * size * 0.066, y + size * 0.005, size * 0.026, size * 0.017 * open);
      ellipse(context, "#2b1d14", x + side * size * 0.066, y + size * 0.005, size * 0.013, size * 0.014 * open);
      context.fillStyle = hair;
      context.fillRect(x + side * size * 0.066 - size * 0.03, y - size * 0.038, size * 0.06, size * 0.01);
    }
    ellipse(context, "rgb(0 0 0 / 9%)", x, y + size * 0.065, size * 0.022, size * 0.03);
    ellipse(context, "#9b4a46", x, y + size * 0.13, size * 0.05, size * (0.009 + 0.012 * Math.abs(Math.sin(time * 5))));
  }
}
