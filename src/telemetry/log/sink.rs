//! Where lines go: a buffer that a thread of its own empties, many lines with one write.
//!
//! Whoever writes a line never waits for the other end. Where that is slow, full or gone, lines are
//! dropped and counted. tracing-appender does about the same, but writes each line by itself, copies it
//! into an allocation of its own, and says nothing of writes that failed.

use std::fmt;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::telemetry::metrics::Counter;

/// What waits to be written: a quarter of a second of a very busy gateway.
const CAPACITY: usize = 2 << 20;
/// Lines that come within this time go out together: each time costs a wake-up, and people who watch a
/// log notice none of it.
const GATHER: Duration = Duration::from_millis(50);
/// So much goes out at once, before it has left the processor's cache.
const ENOUGH: usize = 128 << 10;
/// How long a pipe that was full is left alone.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the process waits at its end for those who do not read.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub struct Sink(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    /// Tells that the thread is done.
    done: Mutex<Receiver<()>>,
    full: Counter,
    failed: Counter,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    lines: u64,
    ending: bool,
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

impl Sink {
    /// Lines go to `output`, by a thread of this name.
    pub fn new(name: &str, output: impl Write + Send + 'static) -> Self {
        let (done, is_done) = channel();
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            done: Mutex::new(is_done),
            full: Counter::default(),
            failed: Counter::default(),
        });
        let writer = shared.clone();
        let thread = thread::Builder::new().name(name.to_owned());
        // Without the thread nothing is written, and that is counted once the buffer is full.
        let _ = thread.spawn(move || writer.empty(output, &done));
        Self(shared)
    }

    /// Takes a line, with its newline; drops it where too much is waiting.
    pub fn write(&self, line: &[u8]) {
        let mut waiting = self.0.open();
        if waiting.bytes.len() + line.len() > CAPACITY || waiting.ending {
            drop(waiting);
            return self.0.full.inc();
        }
        let before = waiting.bytes.len();
        waiting.bytes.extend_from_slice(line);
        waiting.lines += 1;
        let after = waiting.bytes.len();
        drop(waiting);
        if before == 0 || before < ENOUGH && after >= ENOUGH {
            self.0.wake.notify_one();
        }
    }

    /// Lines that were dropped because too much was waiting.
    pub fn dropped(&self) -> u64 {
        self.0.full.get()
    }

    /// Lines that could not be written.
    pub fn failed(&self) -> u64 {
        self.0.failed.get()
    }

    /// Writes what is waiting, unless nobody takes it. What comes later is dropped.
    pub fn finish(&self) {
        self.0.open().ending = true;
        self.0.wake.notify_one();
        let done = self.0.done.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever does not read has had a second.
        let _ = done.recv_timeout(FAREWELL);
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn empty(&self, mut output: impl Write, done: &Sender<()>) {
        let mut taken = Waiting::default();
        while !taken.ending {
            self.wait(&mut taken);
            if write_all(&mut output, &taken.bytes).is_err() {
                self.failed.add(taken.lines);
            }
            taken.bytes.clear();
        }
        // An error means that nobody waits.
        let _ = done.send(());
    }

    /// Takes what is waiting, once there is something and it has had time to become more, and leaves the
    /// empty buffer for what comes.
    fn wait(&self, taken: &mut Waiting) {
        let nothing = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.ending;
        let little = |waiting: &mut Waiting| waiting.bytes.len() < ENOUGH && !waiting.ending;
        let waiting = self.wake.wait_while(self.open(), nothing);
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let gathered = self.wake.wait_timeout_while(waiting, GATHER, little);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut taken.bytes, &mut waiting.bytes);
        taken.lines = std::mem::take(&mut waiting.lines);
        taken.ending = waiting.ending;
    }
}

/// Like `Write::write_all`, and patient with a pipe that somebody else has made non-blocking.
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

/// One line of tracing; it writes each with one call.
#[derive(Clone, Copy, Debug)]
pub struct LineWriter<'a>(&'a Sink);

impl Write for LineWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> LineWriter<'a> {
        LineWriter(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes nothing until it is let go on.
    struct Stuck {
        go_on: Receiver<()>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // An error means that it may go on for good.
            let _ = self.go_on.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_stuck_costs_lines_and_no_time() {
        let (stuck, go_on) = channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Sink::new("test", Stuck { go_on, written: written.clone() });
        let line = [b'x'; 1023].into_iter().chain([b'\n']).collect::<Vec<_>>();
        let lines = 3 * CAPACITY / line.len();
        (0..lines).for_each(|_| sink.write(&line));
        assert!(sink.dropped() > 0);
        drop(stuck);
        sink.finish();
        let written = written.lock().unwrap();
        assert_eq!(written.len() % line.len(), 0, "no line is torn");
        assert_eq!(written.len() / line.len() + sink.dropped() as usize, lines);
    }

    /// Tells how long each write is, and waits before it goes on.
    struct Telling {
        lengths: Sender<usize>,
        go_on: Receiver<()>,
    }

    impl Write for Telling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.lengths.send(bytes.len());
            let _ = self.go_on.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_has_gathered_goes_out_with_one_write() {
        let (lengths, told) = channel();
        let (release, go_on) = channel();
        let sink = Sink::new("test", Telling { lengths, go_on });
        sink.write(b"first\n");
        assert_eq!(told.recv(), Ok(6));
        (0..10_000).for_each(|_| sink.write(b"line\n"));
        drop(release);
        sink.finish();
        assert_eq!(told.iter().collect::<Vec<_>>(), [50_000]);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::new("test", Full);
        (0..10).for_each(|_| sink.write(b"line\n"));
        sink.finish();
        assert_eq!((sink.failed(), sink.dropped()), (10, 0));
    }
}
