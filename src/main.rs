//! Innkeeper sells hotel rooms on Kubernetes. Subcommands, nothing else.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sells hotel rooms on Kubernetes: Rooms, Reservations, and the controllers that keep both honest
#[derive(Parser)]
#[command(name = "innkeeper", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the controllers
    Operator(commands::operator::OperatorArgs),
    /// Run, show or disturb the embedded payment provider (test money only)
    Payments(innkeeper_payments::sandbox::cli::PaymentsArgs),
    /// Run everything in one process, for a laptop
    Dev(commands::dev::DevArgs),
    /// Print the custom resource definitions, or write them to a folder
    Crd(commands::crd::CrdArgs),
    /// Check a configuration file, or print the reference
    Config(commands::config::ConfigArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Operator(args) => commands::operator::run(args).await,
        Command::Payments(args) => commands::payments(args).await,
        Command::Dev(args) => commands::dev::run(args).await,
        Command::Crd(args) => commands::crd::run(&args),
        Command::Config(args) => commands::config::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("innkeeper: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}
