// The official server doing what the Node backend did: relay to the others in the room.

import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http);
io.on("connection", (socket) => {
  socket.on("join-room", (roomId, ack) => {
    socket.join(roomId);
    ack({ ok: true });
  });
  for (const event of ["offer", "answer", "ice-candidate"]) {
    socket.on(event, (roomId, value) => socket.to(roomId).emit(event, value));
  }
});
http.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
process.on("SIGTERM", () => io.close(() => process.exit(0)));
