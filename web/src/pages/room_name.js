// A room's display name: its name, or the beginning of its id if it has none.

export const roomName = ({ roomId, name }) => name ?? `Room ${roomId.slice(0, 8)}`;
