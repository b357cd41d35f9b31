//! `innkeeper config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use innkeeper_ops::config::Config;

use super::Outcome;

/// What to do with a configuration.
#[derive(Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check a file; says the line and the reason where it is invalid
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print every field, its default and its meaning
    Reference,
}

/// Checks or prints.
pub fn run(args: &ConfigArgs) -> Outcome {
    match &args.command {
        ConfigCommand::Check { file } => {
            Config::load(file)?;
            println!("{} is valid", file.display());
        }
        ConfigCommand::Reference => print!("{}", Config::reference()),
    }
    Ok(())
}
