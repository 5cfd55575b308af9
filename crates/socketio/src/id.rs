//! The numbers that identify things at the borders of the state machines. Each kind is a type of its own, so
//! that a session cannot be mistaken for a socket. They are stored as bare numbers.

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
    /// Identifies a WebSocket to the embedder.
    LinkId
}

id! {
    /// Identifies an HTTP request; chosen by the embedder.
    RequestId
}

id! {
    /// Identifies a session to its protocol.
    SessionKey
}

id! {
    /// A client in one namespace, from its CONNECT on. The number of one that is gone may be reused after a sleep,
    /// not before.
    SocketId
}

id! {
    /// The receiver of an event; chosen by the embedder.
    ReceiverId
}
