//! The numbers that name things at the borders of the machines. Each kind is a type of its own, so that a
//! session cannot be taken for a socket. They are stored as bare numbers.

macro_rules! id {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(
            /// The number as it is stored.
            pub u32,
        );

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }
    };
}

id! {
    /// Names a WebSocket towards the embedder.
    LinkId
}

id! {
    /// Names an HTTP request; the embedder's choice.
    RequestId
}

id! {
    /// Names a session towards its protocol.
    SessionKey
}

id! {
    /// A client in one namespace, from its CONNECT on. Never used for another one.
    SocketId
}

id! {
    /// Who is to receive an event; the embedder's choice.
    ReceiverId
}
