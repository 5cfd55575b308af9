//! The command line. Everything can also come from the environment; secrets only should.

use std::{net::SocketAddr, path::PathBuf};

use clap::Parser;
use secrecy::SecretString;

/// MongoDB's Data API (v1) in front of any MongoDB.
///
/// Answers POST /data/v1/action/<findOne|find|insertOne|insertMany|updateOne|updateMany|replaceOne|
/// deleteOne|deleteMany|aggregate> as the hosted service did until 2025-09-30, GET /health, and, with
/// a key, GET /metrics.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Options {
    /// Where to listen. Anything but loopback should have TLS, here or in front.
    #[arg(long, env = "DATA_API_LISTEN", default_value = "127.0.0.1:7380", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// The database: mongodb://… or mongodb+srv://…, as the MongoDB driver accepts it. Set it in the
    /// environment: everybody on the machine can read a command line.
    #[arg(long, env = "MONGODB_URI", hide_env_values = true, value_name = "URI")]
    pub mongodb_uri: SecretString,

    /// A file of API keys, one per line: NAME KEY [read-only] [databases=one,two]. Without it the same lines,
    /// separated by semicolons, are read from the variable DATA_API_KEYS.
    #[arg(long, env = "DATA_API_KEYS_FILE", value_name = "FILE")]
    pub keys_file: Option<PathBuf>,

    /// The only `dataSource` that requests may name. Without it any name is accepted: there is one database.
    #[arg(long, env = "DATA_API_DATA_SOURCE", value_name = "NAME")]
    pub data_source: Option<String>,

    /// Creates Zetra's indexes in this database before the first request, if they are missing. May be repeated.
    #[arg(long, env = "DATA_API_ENSURE_INDEXES", value_name = "DATABASE", value_delimiter = ',')]
    pub ensure_indexes: Vec<String>,

    /// PEM file of the certificate chain; with --tls-key.
    #[arg(long, env = "DATA_API_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// PEM file of the certificate's private key; with --tls-cert.
    #[arg(long, env = "DATA_API_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Seconds that one request may take; the database gets the same limit, and stops.
    #[arg(long, env = "DATA_API_TIMEOUT", default_value_t = 30, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=300))]
    pub timeout: u64,

    /// Requests served at the same time; any more get 429. Also the size of the connection pool, unless the URI
    /// sets maxPoolSize.
    #[arg(long, env = "DATA_API_MAX_CONCURRENT", default_value_t = 128, value_name = "COUNT",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub max_concurrent: u32,

    /// Bytes of a request's body.
    #[arg(long, env = "DATA_API_MAX_BODY", default_value_t = 16 * 1024 * 1024, value_name = "BYTES")]
    pub max_body: usize,

    /// Documents in one answer, and in one insertMany.
    #[arg(long, env = "DATA_API_MAX_DOCUMENTS", default_value_t = 50_000, value_name = "COUNT")]
    pub max_documents: usize,

    /// Bytes of an answer.
    #[arg(long, env = "DATA_API_MAX_RESPONSE", default_value_t = 64 * 1024 * 1024, value_name = "BYTES")]
    pub max_response: usize,

    /// Bytes that all requests in progress may take together, as they are read, parsed, answered and sent; any
    /// more get 429. What a body takes is estimated from its text: a list of numbers takes two hundred times
    /// its size.
    #[arg(long, env = "DATA_API_MAX_MEMORY", default_value_t = 256 * 1024 * 1024, value_name = "BYTES")]
    pub max_memory: usize,

    /// Seconds that requests in progress get to finish when the server is stopped.
    #[arg(long, env = "DATA_API_SHUTDOWN_GRACE", default_value_t = 30, value_name = "SECONDS")]
    pub shutdown_grace: u64,

    /// Lets requests run JavaScript in the database: $where, $function, $accumulator, $code.
    #[arg(long, env = "DATA_API_ALLOW_JAVASCRIPT")]
    pub allow_javascript: bool,

    /// Lets pipelines write, within the databases of the request's key: $out, $merge.
    #[arg(long, env = "DATA_API_ALLOW_PIPELINE_WRITES")]
    pub allow_pipeline_writes: bool,

    /// What to log: error, warn, info, debug, or a filter such as `info,mongodb=debug`.
    #[arg(long, env = "DATA_API_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

const EXAMPLES: &str = "\
Try it
  export MONGODB_URI='mongodb+srv://user:password@cluster0.example.mongodb.net'
  KEY=$(openssl rand -hex 32)
  export DATA_API_KEYS=\"worker $KEY\"
  zetra-data-api --ensure-indexes zetra

Then, in another terminal with the same KEY
  curl http://127.0.0.1:7380/data/v1/action/findOne -H \"Authorization: Bearer $KEY\" \\
    -H 'Content-Type: application/json' -H 'Accept: application/json' \\
    -d '{\"dataSource\":\"Cluster0\",\"database\":\"zetra\",\"collection\":\"users\",\"filter\":{}}'

Older clients may send the key as `apiKey: $KEY`. The X-Request-Id that a client sends is
repeated in the answer and in the log.

SIGTERM and Ctrl-C stop it: requests in progress are finished, new connections are refused.";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_binds_loopback_unless_told_otherwise() {
        Options::command().debug_assert();
        let options =
            Options::try_parse_from(["zetra-data-api", "--mongodb-uri", "mongodb://u:hush@h"]).unwrap();
        assert!(options.listen.ip().is_loopback());
        assert!(!format!("{options:?}").contains("hush"));
        assert_eq!(options.max_memory, 256 * 1024 * 1024);
    }
}
