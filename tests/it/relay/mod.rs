//! The relay on a real API server, with the real operator: what happens to a Reservation is told, all of it, in order.

mod chaos;
mod expiring;
mod filing;
mod kafka;
mod leaving;
mod post;
mod process;
mod receivers;
mod refused;
mod rights;
mod schemas;
mod stories;
