//! The terminal: taken over, and given back however the command ends.

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::sync::mpsc;

use super::screen::Key;
use super::view::View;

/// How long after the end somebody may still listen to the keys.
const PATIENCE: Duration = Duration::from_millis(200);

/// Raw, and with a screen of its own. Dropping it restores what was there; so does a panic.
#[derive(Debug)]
pub(super) struct Terminal(DefaultTerminal);

/// What comes from the person in front of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input {
    Key(Key),
    /// It has another size.
    Resized,
}

impl Terminal {
    pub(super) fn enter() -> io::Result<Self> {
        // Where only half of it worked, the other half has to be undone too.
        ratatui::try_init().map(Self).inspect_err(|_| ratatui::restore())
    }

    pub(super) fn draw(&mut self, view: View<'_>) -> io::Result<()> {
        self.0.draw(|frame| view.draw(frame.area(), frame.buffer_mut())).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// The keys from now on, read by a thread of their own, for reading waits. It ends with the terminal,
/// or when nobody wants them any more.
pub(super) fn inputs() -> mpsc::Receiver<Input> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            let input =
                match event::poll(PATIENCE).and_then(|some| some.then(event::read).transpose()) {
                    Ok(None) => continue,
                    Ok(Some(event)) => input(&event),
                    Err(_) => return,
                };
            if input.is_some_and(|input| sender.blocking_send(input).is_err()) {
                return;
            }
        }
    });
    receiver
}

fn input(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Resized),
        Event::Key(pressed) if pressed.kind != KeyEventKind::Release => {
            key(pressed).map(Input::Key)
        }
        _ => None,
    }
}

/// In raw mode Ctrl-C is a key, and no signal.
fn key(pressed: &KeyEvent) -> Option<Key> {
    if pressed.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(pressed.code, KeyCode::Char('c' | 'd')).then_some(Key::Quit);
    }
    Some(match pressed.code {
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Char('p' | ' ') => Key::Pause,
        KeyCode::Char('?') => Key::Help,
        KeyCode::Esc => Key::Back,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Left | KeyCode::Char('h') => Key::Left,
        KeyCode::Right | KeyCode::Char('l') => Key::Right,
        _ => return None,
    })
}
