// What other clients of a room may say to this one.

/** The events that are relayed, and the name of their value where they are for one person. */
export const SIGNALS = { offer: "offer", answer: "answer", "ice-candidate": "candidate" };

/** What no well-meaning client says, as JSON text. */
export const HOSTILE = [
  ...["null", "true", "-1", "1e400", '""', '"\\ud800"', "[]", "[null]", "{}", '{"length":-1}'],
  ...['{"__proto__":null}', '{"__proto__":{"type":"offer","sdp":""}}', '{"constructor":{"prototype":{"name":""}}}', '{"toString":1,"valueOf":null}'],
  ...['{"name":""}', '{"name":" "}', '{"name":{"length":1}}', '{"name":null,"type":"offer","sdp":"v=0"}', '{"name":"","type":"offer","sdp":"v=0"}'],
  ...['{"type":"offer"}', '{"type":"offer","sdp":null}', '{"type":"answer","sdp":{}}', '{"type":{},"sdp":[]}', '{"type":"rollback","sdp":""}', '{"type":"pranswer","sdp":"v=0"}'],
  ...['{"candidate":null}', '{"candidate":7}', '{"candidate":"","sdpMid":{}}', '{"candidate":{"toString":1},"sdpMid":"0"}'],
  ...['{"candidate":"candidate:x","sdpMid":"0"}', '{"candidate":"x","sdpMLineIndex":1e9}', '{"candidate":"x","sdpMLineIndex":-1,"usernameFragment":[]}'],
  ...['{"senderId":null}', '{"senderId":{},"offer":{}}', '{"senderId":"__proto__","answer":null}', '{"senderId":"constructor","candidate":""}'],
  ...[`"${"x".repeat(8_000)}"`, `{"type":"offer","sdp":"${"v=0\\r\\n".repeat(30_000)}"}`, "[".repeat(100_000) + "]".repeat(100_000)],
];
