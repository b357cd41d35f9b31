//! The site in the browser: pages made here, on the server, that work without JavaScript and are better with it.
//!
//! A page is a function from what the model knows to markup, in the visitor's language. What can be had, what it costs
//! and what comes back is asked of the same code as the API's answers. Whatever goes wrong on the way, in whichever
//! layer, becomes a page by [`dress()`].

mod assets;
mod booking;
mod cancel;
mod dress;
mod form;
mod home;
mod lang;
mod layout;
mod locale;
mod my;
mod parts;
mod policy;
mod receipt;
mod rooms;
mod say;
mod stay;
mod steps;
mod texts;
mod trouble;
mod visitor;
mod wanted;
mod why;

use axum::Router;
use axum::routing::get;

use crate::door::Door;

pub(crate) use assets::routes as assets;
pub(crate) use dress::dress;

/// The pages.
pub(crate) fn routes() -> Router<Door> {
    Router::new()
        .route("/", get(home::show))
        .route("/search", get(rooms::show))
        .route("/language/{tag}", get(visitor::choose_language))
        .route("/book", get(booking::show).post(booking::go))
        .route("/stays", get(my::show))
        .route("/stays/{property}/{name}", get(stay::show))
        .route("/stays/{property}/{name}/events", get(stay::events))
        .route("/stays/{property}/{name}/cancel", get(cancel::ask).post(cancel::go))
        .route("/stays/{property}/{name}/receipt", get(receipt::show))
}
