//! The program: options, log, signals.

use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use zetra_data_api::{Options, Server, StartError};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let filter = match EnvFilter::builder().parse(&options.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: --log {}: {error}", options.log);
            return ExitCode::FAILURE;
        }
    };
    tracing_subscriber::fmt().json().flatten_event(true).with_target(false).with_env_filter(filter).init();
    match run(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot run");
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), StartError> {
    let mut stop = Box::pin(stop_signal()?);
    let server = tokio::select! {
        server = Server::start(options, std::env::var("DATA_API_KEYS").ok()) => server?,
        // For instance while it waits for the database.
        () = &mut stop => return Ok(()),
    };
    tracing::info!(address = %server.address()?, "listening");
    server.run(stop).await
}

/// Resolves at SIGTERM or SIGINT.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
