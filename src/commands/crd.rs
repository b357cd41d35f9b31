//! `innkeeper crd`.

use std::path::PathBuf;

use clap::Args;
use innkeeper_api::crds_yaml;

use super::Outcome;

/// Where the definitions go.
#[derive(Args)]
pub struct CrdArgs {
    /// Write one file per definition into this folder instead of printing them
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints or writes the definitions.
pub fn run(args: &CrdArgs) -> Outcome {
    for (file, yaml) in crds_yaml()? {
        match &args.output {
            Some(folder) => std::fs::write(folder.join(file), yaml)?,
            None => println!("---\n{}", yaml.trim_start_matches("---\n").trim_end()),
        }
    }
    Ok(())
}
