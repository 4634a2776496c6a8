//! The loop: one thread, which sends what is due and takes what comes.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::thread::set_current_timer_slack;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::arguments::{Arguments, Pace};
use crate::arrivals::Arrivals;
use crate::connection::Connection;

const TIMER: Token = Token(usize::MAX);
/// How long answers are waited for after the last request.
const PATIENCE: Duration = Duration::from_secs(10);

struct Load<'a> {
    poll: Poll,
    requests: std::iter::Cycle<std::slice::Iter<'a, Vec<u8>>>,
    connections: Vec<Connection>,
    free: VecDeque<usize>,
    under_way: usize,
    errors: u64,
    latencies: Vec<Duration>,
}

/// Prints the report, with all connections still open.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    let mut load = Load::connect(arguments)?;
    // A request on each connection before anything counts: what is made once is not what is measured.
    load.closed(arguments.connections as u64)?;
    (load.latencies, load.errors) = (Vec::new(), 0);
    println!("ready");
    told()?;
    let begin = Instant::now();
    match arguments.pace {
        Pace::Count(count) => load.closed(count)?,
        Pace::Rate(rate, time) => load.open(Arrivals::new(begin, rate, time))?,
    }
    println!("{}", load.report(begin.elapsed()));
    told()
}

/// Waits until whoever measures has noted what was spent until now.
fn told() -> Result<(), String> {
    std::io::stdin().read_line(&mut String::new()).map_err(text)?;
    Ok(())
}

impl<'a> Load<'a> {
    fn connect(arguments: &'a Arguments) -> Result<Self, String> {
        let poll = Poll::new().map_err(text)?;
        let mut connections = Vec::new();
        for number in 0..arguments.connections {
            let stream = std::net::TcpStream::connect(arguments.address).map_err(text)?;
            stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(text)?;
            let mut connection = Connection::new(TcpStream::from_std(stream));
            poll.registry()
                .register(connection.stream(), Token(number), Interest::READABLE)
                .map_err(text)?;
            connections.push(connection);
        }
        Ok(Self {
            poll,
            requests: arguments.requests.iter().cycle(),
            free: (0..connections.len()).collect(),
            connections,
            under_way: 0,
            errors: 0,
            latencies: Vec::new(),
        })
    }

    /// Sends `count` requests, each as soon as a connection is free.
    fn closed(&mut self, count: u64) -> Result<(), String> {
        let mut left = count;
        let mut events = Events::with_capacity(1024);
        while left > 0 || self.under_way > 0 {
            while left > 0 && !self.free.is_empty() {
                self.send(Instant::now())?;
                left -= 1;
            }
            self.wait(&mut events)?;
            self.take(&events)?;
        }
        Ok(())
    }

    /// Sends each request when it is due, or as soon after as a connection is free.
    fn open(&mut self, mut arrivals: Arrivals) -> Result<(), String> {
        let timer = self.timer()?;
        let mut due = VecDeque::new();
        let mut events = Events::with_capacity(1024);
        while arrivals.next_due().is_some() || !due.is_empty() || self.under_way > 0 {
            let now = Instant::now();
            while let Some(time) = arrivals.next_due().filter(|time| *time <= now) {
                due.push_back(time);
                arrivals.advance();
            }
            while !self.free.is_empty()
                && let Some(time) = due.pop_front()
            {
                self.send(time)?;
            }
            if let Some(time) = arrivals.next_due() {
                arm(&timer, time)?;
            }
            self.wait(&mut events)?;
            self.take(&events)?;
        }
        Ok(())
    }

    /// A poll waits for whole milliseconds; requests are due in between.
    fn timer(&self) -> Result<OwnedFd, String> {
        set_current_timer_slack(NonZeroU64::new(1)).map_err(text)?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).map_err(text)?;
        let source = timer.as_raw_fd();
        self.poll
            .registry()
            .register(&mut SourceFd(&source), TIMER, Interest::READABLE)
            .map_err(text)?;
        Ok(timer)
    }

    fn send(&mut self, since: Instant) -> Result<(), String> {
        let (Some(number), Some(request)) = (self.free.pop_front(), self.requests.next()) else {
            return Ok(());
        };
        self.under_way += 1;
        self.connections[number].send(request, since)
    }

    fn wait(&mut self, events: &mut Events) -> Result<(), String> {
        match self.poll.poll(events, Some(PATIENCE)) {
            Ok(()) if events.is_empty() => {
                Err(format!("no answer for {PATIENCE:?} to {} requests", self.under_way))
            }
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => Err(text(error)),
            _ => Ok(()),
        }
    }

    fn take(&mut self, events: &Events) -> Result<(), String> {
        for event in events.iter().filter(|event| event.token() != TIMER) {
            let Token(number) = event.token();
            if let Some(answer) = self.connections[number].receive()? {
                self.latencies.push(answer.since.elapsed());
                self.errors += u64::from(!answer.ok);
                self.under_way -= 1;
                self.free.push_back(number);
            }
        }
        Ok(())
    }

    fn report(&mut self, time: Duration) -> String {
        self.latencies.sort_unstable();
        let requests = self.latencies.len();
        let percentile = |share: f64| {
            let place = (share * requests as f64).ceil() as usize;
            let latency = self.latencies.get(place.saturating_sub(1)).copied();
            latency.unwrap_or_default().as_nanos() as f64 / 1e3
        };
        format!(
            r#"{{"requests": {requests}, "errors": {}, "microseconds": {}, "p50": {:.1}, "p99": {:.1}, "p999": {:.1}, "max": {:.1}}}"#,
            self.errors,
            time.as_micros(),
            percentile(0.5),
            percentile(0.99),
            percentile(0.999),
            percentile(1.0),
        )
    }
}

/// Edge-triggered: to set a time anew makes it readable anew, so it need not be read.
fn arm(timer: &OwnedFd, time: Instant) -> Result<(), String> {
    let wait = time.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
    let it_value = Timespec { tv_sec: wait.as_secs() as _, tv_nsec: wait.subsec_nanos().into() };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).map_err(text)?;
    Ok(())
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
