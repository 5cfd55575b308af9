//! Whether the database can be reached, checked at most once a second, however many clients ask: `/health`
//! needs no key.

use std::{sync::Arc, time::Duration};

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
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Health {
    /// Callers that arrive during a check wait for its result.
    pub async fn connected(&self, client: &Client, time: Duration) -> bool {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, connected)) = *last
            && at.elapsed() < FRESH
        {
            return connected;
        }
        let admin = client.database("admin");
        // In a task of its own: a client that goes away neither interrupts a connection of the pool, nor lets the next one
        // check again meanwhile.
        let check = tokio::spawn(async move {
            let ping = timeout(time, admin.run_command(doc! { "ping": 1 }).into_future()).await;
            let connected = matches!(ping, Ok(Ok(_)));
            *last = Some((Instant::now(), connected));
            connected
        });
        check.await.unwrap_or(false)
    }
}
