//! The embedding of an application that needs nothing from its object.

use std::{convert::Infallible, rc::Rc};

use zetra_socketio::{
    Application, Kept, Limits, SocketId, SocketIo,
    engine::{SessionKey, Settings},
};

use crate::{Embedding, Object, Task};

/// Hosts an application that has no commands and stores nothing: all that it remembers of its sockets is what
/// [`Application::kept`] returns. [`standalone!`](crate::standalone) defines a Durable Object class for it.
pub struct Standalone<A: Application> {
    /// Durations and limits of Engine.IO.
    pub settings: Settings,
    /// Limits of Socket.IO.
    pub limits: Limits,
    /// Creates the application after a start or a sleep, from the stored state of the sockets that are still
    /// connected: none at the first start.
    pub restore: fn(Vec<(SocketId, A::Kept)>) -> A,
}

impl<A: Application> Standalone<A> {
    /// With the default settings and limits.
    pub fn new(restore: fn(Vec<(SocketId, A::Kept)>) -> A) -> Self {
        Self { settings: Settings::default(), limits: Limits::default(), restore }
    }
}

impl<A: Application<Command = Infallible> + 'static> Embedding for Standalone<A> {
    type Protocol = SocketIo<A>;

    fn settings(&self) -> Settings {
        self.settings
    }

    fn protocol(&self, _: &Object<Self>, kept: Vec<(SessionKey, Kept<A::Kept>)>) -> SocketIo<A> {
        SocketIo::restore(self.limits, kept, self.restore)
    }

    fn perform(_: &Rc<Object<Self>>, _: &SocketIo<A>, command: Infallible) -> Option<Task> {
        match command {}
    }
}
