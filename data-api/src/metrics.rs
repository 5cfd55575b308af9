//! The content of `/metrics`, in the OpenMetrics text format.

use std::{sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    action: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    action: &'static str,
}

pub struct Metrics {
    registry: Registry,
    requests: Family<Outcome, Counter<u64, AtomicU64>>,
    seconds: Family<Of, Histogram>,
    under_way: Gauge,
    memory: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("data_api");
        let requests = Family::default();
        // 0.5 ms to 16 s
        let seconds: Family<Of, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_5, 2.0, 16)));
        let under_way = Gauge::default();
        registry.register("requests", "Requests answered, by action and status", requests.clone());
        registry.register_with_unit("duration", "Time to the answer", Unit::Seconds, seconds.clone());
        registry.register("under_way", "Requests being served", under_way.clone());
        let memory = Gauge::default();
        registry.register_with_unit("memory", "Held for bodies under way", Unit::Bytes, memory.clone());
        Self { registry, requests, seconds, under_way, memory }
    }
}

impl Metrics {
    pub fn begin(&self) {
        self.under_way.inc();
    }

    pub fn end(&self, action: &'static str, status: u16, time: Duration) {
        self.under_way.dec();
        self.requests.get_or_create(&Outcome { action, status }).inc();
        self.seconds.get_or_create(&Of { action }).observe(time.as_secs_f64());
    }

    /// `memory` is what requests in progress hold at the moment.
    pub fn text(&self, memory: usize) -> Result<String, std::fmt::Error> {
        self.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
