//! Whether the database can be reached, asked of it at most once a second, however many ask here:
//! `/health` wants no key.

use std::time::Duration;

use bson::doc;
use mongodb::Client;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub struct Health {
    last: Mutex<Option<(Instant, bool)>>,
}

impl Health {
    /// Who comes while it is asked waits for the same answer.
    pub async fn connected(&self, client: &Client, time: Duration) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, connected)) = *last
            && at.elapsed() < FRESH
        {
            return connected;
        }
        let admin = client.database("admin");
        // In a task of its own: who goes away takes no connection of the pool with it.
        let ping = tokio::spawn(timeout(time, async move { admin.run_command(doc! { "ping": 1 }).await }));
        let connected = matches!(ping.await, Ok(Ok(Ok(_))));
        *last = Some((Instant::now(), connected));
        connected
    }
}
