//! The program as a process: started, watched, signalled, killed, misconfigured.

mod archive;
mod commands;
mod configuring;
mod dev;
mod ending;
mod import;
mod issuer;
mod keys;
mod leading;
mod outages;
mod rights;
mod running;
mod verify;
