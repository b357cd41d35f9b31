//! `innkeeper import`: brings bookings that a hotel has already taken elsewhere into its calendars.

mod fit;
mod rows;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{ConditionStatus, ConditionType, FINALIZER, Reason, Reservation, Room, RoomCalendar};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};

use super::Outcome;
use super::operator::kube_config;
use fit::{Hotel, Verdict};
use rows::Row;

/// Requests under way at the same time.
const AT_ONCE: usize = 16;

/// What to bring in, and where.
#[derive(Args)]
pub struct ImportArgs {
    /// The bookings: a CSV file with a header. Columns: reference, room, checkIn, checkOut, guestID; and, where wanted,
    /// units, adults, children, collect (External, the default, or `AtProperty`)
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// Kubeconfig of the cluster; it must be named, so that no other is touched by mistake
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// The hotel
    #[arg(long, short)]
    namespace: String,
    /// Bring in the rows that fit. Without it nothing is written: only what would become of every row is said
    #[arg(long)]
    apply: bool,
    /// Seconds to wait for the operator to hold the nights of what was brought in
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    wait: u64,
}

/// Reads the file, says what fits and what does not and why, and with `--apply` brings in what fits. Fails if any row
/// does not end as a booking.
pub async fn run(args: ImportArgs) -> Outcome {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|e| format!("cannot read {}: {e}", args.file.display()))?;
    let rows = rows::parse(&text).map_err(|e| format!("{}: {e}", args.file.display()))?;
    let client = innkeeper_operator::client(
        kube_config(Some(&args.kubeconfig)).await?,
        &innkeeper_ops::metrics::Metrics::new(env!("CARGO_PKG_VERSION")),
    )?;
    let cluster = Cluster::of(&client, &args.namespace);
    let mut hotel = cluster.hotel().await?;
    let refused = cluster.ask_the_api_server(&rows).await?;
    let now = jiff::Timestamp::now();
    let judged = rows.into_iter().zip(refused).map(|(row, refused)| {
        // What is refused takes no nights from those below it.
        let verdict = refused.map_or_else(|| hotel.judge(&row, now), Verdict::DoesNot);
        (row, verdict)
    });

    let mut misfits = Vec::new();
    let (mut fit, mut there) = (Vec::new(), 0);
    for (row, verdict) in judged {
        match verdict {
            Verdict::Fits(reservation) => fit.push((row, *reservation)),
            Verdict::There => there += 1,
            Verdict::DoesNot(reason) => misfits.push((row, reason)),
        }
    }
    let (fits, all) = (fit.len(), fit.len() + there + misfits.len());
    if args.apply {
        eprintln!("bringing in {fits} of {all} rows");
        misfits.extend(cluster.bring_in(fit, Duration::from_secs(args.wait)).await?);
        misfits.sort_by_key(|(row, _)| row.line);
    }
    for (row, reason) in &misfits {
        println!("line {}, {}: {reason}", row.line, row.name());
    }
    let what = if args.apply { "brought in" } else { "fit" };
    let refused = misfits.len();
    let done = all - there - refused;
    println!("{all} rows: {done} {what}, {there} were there already, {refused} do not fit");
    if !args.apply && done > 0 {
        println!("Nothing was written. Bring in those that fit with --apply.");
    }
    if refused > 0 {
        return Err(format!("{refused} of {all} rows do not fit").into());
    }
    Ok(())
}

/// One hotel's objects.
struct Cluster {
    reservations: Api<Reservation>,
    rooms: Api<Room>,
    calendars: Api<RoomCalendar>,
}

impl Cluster {
    fn of(client: &Client, namespace: &str) -> Self {
        Self {
            reservations: Api::namespaced(client.clone(), namespace),
            rooms: Api::namespaced(client.clone(), namespace),
            calendars: Api::namespaced(client.clone(), namespace),
        }
    }

    async fn hotel(&self) -> Result<Hotel, kube::Error> {
        let all = ListParams::default();
        let rooms = self.rooms.list(&all).await?;
        let calendars = self.calendars.list(&all).await?;
        let reservations = self.reservations.list(&all).await?;
        Ok(Hotel::new(rooms.items, calendars.items, reservations.items))
    }

    /// What the API server itself has against each row, without writing anything.
    async fn ask_the_api_server(&self, rows: &[Row]) -> Result<Vec<Option<String>>, kube::Error> {
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let ask = async |row: &Row| match &row.booking {
            Ok(booking) => match self.reservations.create(&dry, &booking.reservation()).await {
                // Whether it is the same booking is seen by its reference.
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
                answer => refusal(answer),
            },
            Err(_) => Ok(None),
        };
        futures::stream::iter(rows).map(ask).buffered(AT_ONCE).try_collect().await
    }

    /// Creates them, and waits until the operator has decided each. Gives those that it refused, or did not decide.
    async fn bring_in(
        &self,
        fit: Vec<(Row, Reservation)>,
        wait: Duration,
    ) -> Result<Vec<(Row, String)>, Box<dyn std::error::Error + Send + Sync>> {
        let mut refused = Vec::new();
        let mut waiting: BTreeMap<String, Row> = BTreeMap::new();
        let created: Vec<_> = futures::stream::iter(fit)
            .map(|(row, mut reservation)| async move {
                // Born with it, each is one write less for the operator.
                reservation.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
                let name = reservation.name_any();
                let answer = self.reservations.create(&PostParams::default(), &reservation).await;
                refusal(answer).map(|why| (row, name, why))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (row, name, why) in created {
            match why {
                Some(why) => refused.push((row, why)),
                None => drop(waiting.insert(name, row)),
            }
        }
        let (begun, mut spoken) = (Instant::now(), Instant::now());
        while !waiting.is_empty() {
            for reservation in self.reservations.list(&ListParams::default()).await? {
                let name = reservation.name_any();
                let Some(end) = waiting.get(&name).and_then(|_| end(&reservation)) else { continue };
                if let Some(row) = waiting.remove(&name)
                    && let Err(why) = end
                {
                    refused.push((row, why));
                }
            }
            if begun.elapsed() >= wait {
                let why = format!(
                    "not decided within {} s; is an operator running that watches this namespace?",
                    wait.as_secs()
                );
                refused.extend(std::mem::take(&mut waiting).into_values().map(|row| (row, why.clone())));
            }
            if spoken.elapsed() >= Duration::from_secs(15) {
                spoken = Instant::now();
                eprintln!("    {} are not decided yet", waiting.len());
            }
            if !waiting.is_empty() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        Ok(refused)
    }
}

/// Why the API server refuses an object; an error where it does not answer to that.
fn refusal(answer: Result<Reservation, kube::Error>) -> Result<Option<String>, kube::Error> {
    match answer {
        Ok(_) => Ok(None),
        Err(kube::Error::Api(status)) if status.is_invalid() || status.is_already_exists() => {
            Ok(Some(status.message.clone()))
        }
        Err(error) => Err(error),
    }
}

/// How it ended, once it has: booked, or why not.
fn end(reservation: &Reservation) -> Option<Result<(), String>> {
    let conditions = &reservation.status.as_ref()?.conditions;
    let settled = conditions.get(&ConditionType::Settled)?;
    if settled.status != ConditionStatus::True {
        return None;
    }
    if settled.reason == Reason::Confirmed {
        return Some(Ok(()));
    }
    let why = conditions.get(&ConditionType::Ready).map_or(&settled.message, |ready| &ready.message);
    Some(Err(format!("{} Reservation {} says so and can be deleted.", why, reservation.name_any())))
}
