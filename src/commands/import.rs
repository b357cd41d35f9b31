//! `innkeeper import`: brings bookings that a hotel has already taken elsewhere into its calendars.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{ConditionStatus, ConditionType, FINALIZER, Reason, Reservation, Room, RoomCalendar};
use innkeeper_import::fit::{self, Hotel, Verdict};
use innkeeper_import::rows::{self, Row};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, ResourceExt};

use super::Outcome;
use super::operator::kube_config;

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
        let brought = cluster.bring_in(fit, Duration::from_secs(args.wait)).await?;
        there += brought.there;
        misfits.extend(brought.refused);
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

/// What became of the rows that seemed to fit, but for those that were brought in.
#[derive(Default)]
struct Brought {
    /// How many somebody else had brought in meanwhile.
    there: usize,
    /// Those that were refused, or not decided, and why.
    refused: Vec<(Row, String)>,
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
            Ok(booking) => {
                let answer = self.reservations.create(&dry, &booking.reservation()).await;
                match created(answer)? {
                    // Whether it is the same booking is seen by its reference.
                    Created::New | Created::There => Ok(None),
                    Created::Refused(why) => Ok(Some(why)),
                }
            }
            Err(_) => Ok(None),
        };
        futures::stream::iter(rows).map(ask).buffered(AT_ONCE).try_collect().await
    }

    /// Creates them, and waits until the operator has decided each.
    async fn bring_in(
        &self,
        fit: Vec<(Row, Reservation)>,
        wait: Duration,
    ) -> Result<Brought, Box<dyn std::error::Error + Send + Sync>> {
        let mut brought = Brought::default();
        let mut waiting: BTreeMap<String, Waiting> = BTreeMap::new();
        let answers: Vec<_> = futures::stream::iter(fit)
            .map(|(row, mut reservation)| async move {
                // Born with it, each is one write less for the operator.
                reservation.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
                let answer = self.reservations.create(&PostParams::default(), &reservation).await;
                created(answer).map(|answer| (row, reservation, answer))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        for (row, reservation, answer) in answers {
            let there = match answer {
                Created::Refused(why) => {
                    brought.refused.push((row, why));
                    continue;
                }
                Created::There => true,
                Created::New => false,
            };
            waiting.insert(reservation.name_any(), Waiting { row, reservation, there });
        }
        self.wait_for(waiting, wait, &mut brought).await?;
        Ok(brought)
    }

    async fn wait_for(
        &self,
        mut waiting: BTreeMap<String, Waiting>,
        wait: Duration,
        brought: &mut Brought,
    ) -> Result<(), kube::Error> {
        let (begun, mut spoken) = (Instant::now(), Instant::now());
        while !waiting.is_empty() {
            for reservation in self.reservations.list(&ListParams::default()).await? {
                let name = reservation.name_any();
                let ended = waiting.get(&name).and_then(|ours| end(&reservation, &ours.reservation));
                let Some(end) = ended else { continue };
                let Some(Waiting { row, there, .. }) = waiting.remove(&name) else { continue };
                match end {
                    Err(why) => brought.refused.push((row, why)),
                    Ok(()) => brought.there += usize::from(there),
                }
            }
            if begun.elapsed() >= wait {
                let why = format!(
                    "not decided within {} s; is an operator running that watches this namespace?",
                    wait.as_secs()
                );
                let left = std::mem::take(&mut waiting).into_values().map(|w| (w.row, why.clone()));
                brought.refused.extend(left);
            }
            if spoken.elapsed() >= Duration::from_secs(15) {
                spoken = Instant::now();
                eprintln!("    {} are not decided yet", waiting.len());
            }
            if !waiting.is_empty() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        Ok(())
    }
}

/// A row that waits for the operator.
struct Waiting {
    row: Row,
    reservation: Reservation,
    /// Somebody else made its Reservation.
    there: bool,
}

/// What the API server says to a new object.
enum Created {
    New,
    /// There is one of that name.
    There,
    /// This object is none that it takes.
    Refused(String),
}

/// Tells what is wrong with one object from what is wrong with all: the latter is an error.
fn created(answer: Result<Reservation, kube::Error>) -> Result<Created, kube::Error> {
    match answer {
        Ok(_) => Ok(Created::New),
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(Created::There),
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 413 | 422) => {
            Ok(Created::Refused(status.message.clone()))
        }
        Err(error) => Err(error),
    }
}

/// How the Reservation of a row ended, once it has: booked, or why not.
fn end(reservation: &Reservation, ours: &Reservation) -> Option<Result<(), String>> {
    if !fit::same_booking(reservation, ours) {
        let name = reservation.name_any();
        return Some(Err(format!("Reservation {name} was made meanwhile, for other terms")));
    }
    let settled = reservation.status.as_ref()?.conditions.get(&ConditionType::Settled)?;
    if settled.status != ConditionStatus::True {
        return None;
    }
    Some(match settled.reason {
        Reason::Confirmed => Ok(()),
        Reason::Rejected => Err(fit::refused(reservation).unwrap_or_default()),
        _ => {
            Err(format!("Reservation {} was given up meanwhile: {}", reservation.name_any(), settled.message))
        }
    })
}
