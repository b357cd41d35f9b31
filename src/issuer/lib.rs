//! A test issuer of OpenID Connect, for trying Innkeeper: it signs in whoever one makes up, and asks for no password.
//!
//! So it must never stand beside real money: it refuses to, by [`Guard`]. To the gateway it is an issuer like any other;
//! nothing here knows Innkeeper.

mod codes;
mod guard;
mod keys;
mod page;
mod routes;
mod server;
mod tokens;

pub use guard::{Guard, LiveKey};
pub use keys::KeyError;
pub use server::{Config, IssuerError, Server};
pub use tokens::Flaw;
