// What a room is called: its name, or the beginning of its id where it has none.

export const roomName = ({ roomId, name }) => name ?? `Room ${roomId.slice(0, 8)}`;
