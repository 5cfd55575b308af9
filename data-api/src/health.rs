//! Whether the database can be reached, checked at most once a second, however many clients ask: `/health`
//! needs no key.

use std::time::Duration;

use bson::doc;
use mongodb::Client;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long a result stays valid.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Health {
    last: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Callers that arrive during a check wait for its result.
    pub async fn connected(&self, client: &Client, time: Duration) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, connected)) = *last
            && at.elapsed() < FRESH
        {
            return connected;
        }
        let admin = client.database("admin");
        // In a task of its own, so that a client that goes away does not interrupt a connection of the pool.
        let ping = tokio::spawn(timeout(time, async move { admin.run_command(doc! { "ping": 1 }).await }));
        let connected = matches!(ping.await, Ok(Ok(Ok(_))));
        *last = Some((Instant::now(), connected));
        connected
    }
}
