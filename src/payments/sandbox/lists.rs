//! Lists with cursors, single charges, and the balance: everything that only reads.

use serde_json::{Value, json};

use super::books::{Books, Stored};
use super::error::{Failure, StripeError};
use super::model::{Charge, Intent, Refund};
use super::params::Params;
use super::render::{self, Expand, IN_CHARGE, IN_INTENT, IN_REFUND};

/// Objects younger than this many seconds are not in lists yet (a fault), 0 for none.
pub(crate) type Lag = i64;

/// `GET /v1/payment_intents`, newest first.
pub(crate) fn intents(books: &Books<'_>, mut params: Params, lag: Lag) -> Result<Value, Failure> {
    let page = Page::parse(&mut params)?;
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, true)?;
    params.finish()?;
    let (found, more) = page.read::<Intent>(books, "payment_intent", None, lag)?;
    let data =
        found.iter().map(|intent| render::intent(books, intent, &expand)).collect::<Result<Vec<_>, _>>()?;
    Ok(render::list("/v1/payment_intents", &data, more))
}

/// `GET /v1/refunds`, newest first, of one intent or charge or of all.
pub(crate) fn refunds(books: &Books<'_>, mut params: Params, lag: Lag) -> Result<Value, Failure> {
    let page = Page::parse(&mut params)?;
    let intent = params.text("payment_intent")?;
    let charge = params.text("charge")?;
    let expand = Expand::parse(params.list("expand")?, IN_REFUND, true)?;
    params.finish()?;
    if let Some(id) = &intent
        && books.get::<Intent>(id)?.is_none()
    {
        return Err(StripeError::missing("payment_intent", id, "payment_intent").into());
    }
    if let Some(id) = &charge
        && books.get::<Charge>(id)?.is_none()
    {
        return Err(StripeError::missing("charge", id, "charge").into());
    }
    let only = match (&intent, &charge) {
        (_, Some(charge)) => Some(("charge", charge.as_str())),
        (Some(intent), None) => Some(("payment_intent", intent.as_str())),
        (None, None) => None,
    };
    let (found, more) = page.read::<Refund>(books, "refund", only, lag)?;
    let data =
        found.iter().map(|refund| render::refund(books, refund, &expand)).collect::<Result<Vec<_>, _>>()?;
    Ok(render::list("/v1/refunds", &data, more))
}

/// `GET /v1/charges/{id}`
pub(crate) fn charge(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let expand = Expand::parse(params.list("expand")?, IN_CHARGE, false)?;
    params.finish()?;
    let found: Charge = books.get(id)?.ok_or_else(|| StripeError::missing("charge", id, "charge"))?;
    render::charge(books, &found, &expand)
}

/// `GET /v1/balance`: what was captured less what went back, by currency.
pub(crate) fn balance(books: &Books<'_>, params: Params) -> Result<Value, Failure> {
    params.finish()?;
    let mut statement = books.conn.prepare_cached(
        "SELECT data ->> '$.currency', sum(data ->> '$.captured') - sum(data ->> '$.refunded')
         FROM charges GROUP BY 1 ORDER BY 1",
    )?;
    let available = statement
        .query_map([], |row| {
            let (currency, amount): (String, i64) = (row.get(0)?, row.get(1)?);
            Ok(json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } }))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(json!({ "object": "balance", "available": available, "livemode": false, "pending": [] }))
}

/// Which part of a list is wanted.
#[derive(Debug)]
struct Page {
    limit: usize,
    after: Option<String>,
    before: Option<String>,
    /// Comparisons with `created`: an operator and a number of seconds.
    created: Vec<(&'static str, i64)>,
}

impl Page {
    fn parse(params: &mut Params) -> Result<Self, StripeError> {
        let limit = params.integer("limit")?.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            let message = format!("Invalid limit: {limit}; it must be from 1 to 100.");
            return Err(StripeError::invalid(message).code("parameter_invalid_integer").param("limit"));
        }
        let (after, before) = (params.text("starting_after")?, params.text("ending_before")?);
        if after.is_some() && before.is_some() {
            let message = "Give one of these parameters: starting_after, ending_before.";
            return Err(StripeError::invalid(message).code("parameters_exclusive").param("starting_after"));
        }
        let mut created = Vec::new();
        for (name, operator) in [
            ("created", "="),
            ("created[gt]", ">"),
            ("created[gte]", ">="),
            ("created[lt]", "<"),
            ("created[lte]", "<="),
        ] {
            if let Some(time) = params.integer(name)? {
                created.push((operator, time));
            }
        }
        Ok(Self { limit: usize::try_from(limit).unwrap_or(10), after, before, created })
    }

    fn read<T: Stored>(
        &self,
        books: &Books<'_>,
        kind: &str,
        only: Option<(&'static str, &str)>,
        lag: Lag,
    ) -> Result<(Vec<T>, bool), Failure> {
        let table = T::TABLE;
        let mut conditions = vec!["created <= ?1".to_owned()];
        let mut values: Vec<rusqlite::types::Value> = vec![books.now.saturating_sub(lag).into()];
        let mut bind = |condition: &str, value: rusqlite::types::Value| {
            values.push(value);
            conditions.push(format!("{condition} ?{}", values.len()));
        };
        for (operator, time) in &self.created {
            bind(&format!("created {operator}"), (*time).into());
        }
        if let Some((column, id)) = only {
            bind(&format!("{column} ="), id.to_owned().into());
        }
        if let Some((cursor, param)) = self.cursor() {
            let row =
                books.get::<T>(cursor)?.map(|_| ()).ok_or_else(|| StripeError::missing(kind, cursor, param));
            row?;
            let operator = if self.before.is_some() { ">" } else { "<" };
            values.push(cursor.to_owned().into());
            conditions.push(format!(
                "(created, seq) {operator} (SELECT created, seq FROM {table} WHERE id = ?{})",
                values.len()
            ));
        }
        // Backwards from a cursor the nearest come first, and are turned round below.
        let order = if self.before.is_some() { "ASC" } else { "DESC" };
        let sql = format!(
            "SELECT data FROM {table} WHERE {} ORDER BY created {order}, seq {order} LIMIT {}",
            conditions.join(" AND "),
            self.limit + 1
        );
        let mut found: Vec<T> = books.select(&sql, rusqlite::params_from_iter(values))?;
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        if self.before.is_some() {
            found.reverse();
        }
        Ok((found, more))
    }

    fn cursor(&self) -> Option<(&str, &'static str)> {
        match (&self.after, &self.before) {
            (Some(id), _) => Some((id, "starting_after")),
            (None, Some(id)) => Some((id, "ending_before")),
            (None, None) => None,
        }
    }
}
