//! Prices in US dollars per month. Looked up on 2026-11-28 in stored copies of the pages named; a page carries
//! no date of its own unless one is given here.
//!
//! - Workers: <https://developers.cloudflare.com/workers/platform/pricing/> (text of the repository
//!   `cloudflare/cloudflare-docs` at `07acbb6612`). Others read the same prices of Workers and D1 there on 2026-08-03
//!   (<https://github.com/halideworks/onelight/wiki/Pricing>).
//! - Durable Objects: <https://developers.cloudflare.com/durable-objects/platform/pricing/> (`04a87f48e1`, the tables at
//!   `07e200b7ed`). Storage in SQLite has been billed since January 2026, according to
//!   <https://developers.cloudflare.com/changelog/durable-objects/2026-01-07-durable-objects-sqlite-storage-billing/>.
//! - D1: <https://developers.cloudflare.com/d1/platform/pricing/> (its table at `25a83cedcf`).
//! - TURN: <https://developers.cloudflare.com/realtime/turn/faq/> (`0db40756aa`).
//! - The machine: DigitalOcean's Basic Droplet of 2 vCPU and 4 GB, as in the list of its price change of July
//!   2022 (<https://gist.github.com/colinwilson/cd31bde012f6727b24b2fc4ebee749c0>). The price list itself
//!   (<https://www.digitalocean.com/pricing/droplets>) could not be read from here. On 2026-09-20 its smallest
//!   Droplet still had the price of that list (<https://github.com/api-evangelist/digital-ocean>), so it has
//!   probably not changed.

/// A billed quantity: how much the plan includes, and the price beyond that.
pub struct Price {
    pub part: &'static str,
    pub unit: &'static str,
    /// In a month.
    pub included: f64,
    /// This many cost `dollars`.
    pub per: f64,
    pub dollars: f64,
    /// Rounded up to whole ones, as in Cloudflare's examples of the bill for objects; those for Workers do not round.
    pub whole: bool,
}

impl Price {
    pub fn of(&self, used: f64) -> f64 {
        let units = (used - self.included).max(0.0) / self.per;
        (if self.whole { units.ceil() } else { units }) * self.dollars
    }
}

const MILLION: f64 = 1_000_000.0;

/// The Workers Paid plan.
pub const SUBSCRIPTION: f64 = 5.0;

pub const WORKER_REQUESTS: Price = price("Worker: requests", "", 10.0 * MILLION, MILLION, 0.30, false);
pub const WORKER_CPU: Price = price("Worker: CPU", "ms", 30.0 * MILLION, MILLION, 0.02, false);
pub const OBJECT_REQUESTS: Price = price("objects: requests", "", MILLION, MILLION, 0.15, true);
pub const OBJECT_DURATION: Price = price("objects: awake", "GB-s", 400_000.0, MILLION, 12.50, true);
pub const OBJECT_ROWS_READ: Price =
    price("objects: rows read", "", 25_000.0 * MILLION, MILLION, 0.001, false);
pub const OBJECT_ROWS_WRITTEN: Price =
    price("objects: rows written", "", 50.0 * MILLION, MILLION, 1.0, false);
pub const OBJECT_STORAGE: Price = price("objects: stored", "GB", 5.0, 1.0, 0.20, false);
pub const D1_ROWS_READ: Price = price("D1: rows read", "", 25_000.0 * MILLION, MILLION, 0.001, false);
pub const D1_ROWS_WRITTEN: Price = price("D1: rows written", "", 50.0 * MILLION, MILLION, 1.0, false);
pub const D1_STORAGE: Price = price("D1: stored", "GB", 5.0, 1.0, 0.75, false);
/// Traffic from Cloudflare to the TURN client.
pub const TURN: Price = price("TURN: sent", "GB", 1_000.0, 1.0, 0.05, false);

/// Maximum size of a D1 database in GB: <https://developers.cloudflare.com/d1/platform/limits/>, last updated
/// on 2026-04-21.
pub const D1_LARGEST: f64 = 10.0;
/// This many incoming WebSocket messages are billed as one request to an object. Outgoing ones are free.
pub const MESSAGES_PER_REQUEST: f64 = 20.0;
/// An object is billed for 128 MB, whatever it uses.
pub const OBJECT_GB: f64 = 0.128;

pub const MACHINE: f64 = 24.0;
pub const MACHINE_CORES: f64 = 2.0;
/// The machine's own outgoing transfer, if it is the TURN server, in GiB.
pub const MACHINE_TRANSFER: Price = price("relayed", "GB", 4_000.0, 1.0, 0.01, false);

const fn price(
    part: &'static str,
    unit: &'static str,
    included: f64,
    per: f64,
    dollars: f64,
    whole: bool,
) -> Price {
    Price { part, unit, included, per, dollars, whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(dollars: f64) -> i64 {
        (dollars * 100.0).round() as i64
    }

    /// <https://developers.cloudflare.com/workers/platform/pricing/#example-pricing>, examples 1 and 4.
    #[test]
    fn the_examples_of_cloudflares_page_on_workers_come_out() {
        assert_eq!(cents(WORKER_REQUESTS.of(15e6)), 150);
        assert_eq!(cents(WORKER_CPU.of(7.0 * 15e6)), 150);
        assert_eq!(cents(WORKER_REQUESTS.of(100e6)), 2_700);
        assert_eq!(cents(WORKER_CPU.of(7.0 * 100e6)), 1_340);
    }

    /// <https://developers.cloudflare.com/durable-objects/platform/pricing/#compute-billing-examples>, examples 1, 2
    /// and 4.
    #[test]
    fn the_examples_of_cloudflares_page_on_objects_come_out() {
        assert_eq!(cents(OBJECT_REQUESTS.of(1.5e6)), 15);
        assert_eq!(cents(OBJECT_REQUESTS.of(150_000.0 + 72e6 / MESSAGES_PER_REQUEST)), 45);
        assert_eq!(cents(OBJECT_REQUESTS.of(10_000.0 + 432e6 / MESSAGES_PER_REQUEST)), 315);
        assert_eq!(cents(OBJECT_DURATION.of(1e6 * OBJECT_GB)), 0);
        assert_eq!(cents(OBJECT_DURATION.of(86_400_000.0 * OBJECT_GB)), 13_750);
        assert_eq!(cents(OBJECT_DURATION.of(4_320_000.0 * OBJECT_GB)), 1_250);
    }

    #[test]
    fn what_is_included_costs_nothing_and_the_next_one_a_part_or_a_whole_unit() {
        for price in [&WORKER_REQUESTS, &OBJECT_REQUESTS, &D1_STORAGE, &TURN] {
            assert_eq!(price.of(price.included), 0.0, "{}", price.part);
        }
        assert_eq!(OBJECT_REQUESTS.of(1e6 + 1.0), 0.15);
        assert_eq!(cents(WORKER_REQUESTS.of(10.5e6)), 15);
        assert_eq!(cents(D1_STORAGE.of(7.0)), 150);
        assert_eq!(cents(TURN.of(3_000.0)), 10_000);
    }
}
