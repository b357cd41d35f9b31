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
    /// Run the guests' door: REST for guests and partners
    Gateway(commands::gateway::GatewayArgs),
    /// Publish every fact of every Reservation as an event, at least once and in order
    Relay(commands::relay::RelayArgs),
    /// Run, show or disturb the embedded payment provider (test money only)
    Payments(innkeeper_payments::sandbox::cli::PaymentsArgs),
    /// Run a test issuer that signs in whoever one makes up (for trying; refuses to run beside a live provider key)
    Issuer(commands::issuer::IssuerArgs),
    /// Run everything in one process, for a laptop
    Dev(commands::dev::DevArgs),
    /// Print the custom resource definitions, or write them to a folder
    Crd(commands::crd::CrdArgs),
    /// Bring in bookings that were taken elsewhere, from a CSV file
    Import(commands::import::ImportArgs),
    /// Make the Secrets with random keys that an installation needs and does not have yet
    Keys(commands::keys::KeysArgs),
    /// List, show or verify the archive of finished stays
    Archive(commands::archive::ArchiveArgs),
    /// Recompute calendars, payments and refunds, and tell what does not fit; nothing is written
    Verify(commands::verify::VerifyArgs),
    /// Check a configuration file, or print the reference
    Config(commands::config::ConfigArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Operator(args) => commands::operator::run(args).await,
        Command::Gateway(args) => commands::gateway::run(args).await,
        Command::Relay(args) => commands::relay::run(args).await,
        Command::Payments(args) => commands::payments(args).await,
        Command::Issuer(args) => commands::issuer::run(args).await,
        Command::Dev(args) => commands::dev::run(args).await,
        Command::Crd(args) => commands::crd::run(&args),
        Command::Import(args) => commands::import::run(args).await,
        Command::Keys(args) => commands::keys::run(args).await,
        Command::Archive(args) => commands::archive::run(&args),
        Command::Verify(args) => commands::verify::run(args).await,
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

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::Cli;

    /// Every command and argument without a word about it, by its path.
    fn without_help(command: &Command, path: &str) -> Vec<String> {
        let path = format!("{path} {}", command.get_name());
        let mut silent: Vec<String> = command
            .get_arguments()
            .filter(|argument| argument.get_help().is_none_or(|help| help.to_string().trim().is_empty()))
            .map(|argument| format!("{path} {}", argument.get_id()))
            .collect();
        if command.get_about().is_none_or(|about| about.to_string().trim().is_empty()) {
            silent.push(path.clone());
        }
        silent.extend(command.get_subcommands().flat_map(|command| without_help(command, &path)));
        silent
    }

    #[test]
    fn every_command_and_every_argument_has_help() {
        let mut command = Cli::command();
        // With what clap adds itself: help and version.
        command.build();
        assert_eq!(without_help(&command, ""), [""; 0]);
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
