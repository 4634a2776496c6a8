use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::cli::top::exposition::Metrics;
use crate::cli::top::sample::{Sample, State};
use crate::cli::top::screen::{Key, Sort};

/// When the gateway of the sample started; two hours and three minutes later it is looked at.
const STARTED: u64 = 1_700_000_000;
const NOW: u64 = STARTED + 2 * 3_600 + 3 * 60;

/// What happened in two seconds.
fn figures() -> Figures {
    let at = Instant::now();
    let nothing = format!("wxgate_ready 1\nprocess_start_time_seconds {STARTED}\n");
    let metrics = |text: &str| Metrics::read(text).unwrap();
    let state = State { version: "0.1.0".to_owned(), generation: 3, ..State::default() };
    let before = Sample { at, metrics: metrics(&nothing), state: state.clone() };
    let metrics = metrics(include_str!("tests/metrics.prom"));
    let now = Sample { at: at + Duration::from_secs(2), metrics, state };
    Figures::of(Some(&before), &now)
}

fn view(figures: Option<&Figures>) -> View<'_> {
    View {
        place: "http://127.0.0.1:9901",
        figures,
        lost: None,
        screen: Screen::default(),
        now: NOW,
        look: Look { colour: true },
    }
}

fn drawn(view: View<'_>, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view.draw(frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let lines = buffer.content().chunks(usize::from(buffer.area.width)).map(|line| {
        line.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned() + "\n"
    });
    lines.collect()
}

/// Holds a picture to the file; with WXGATE_WRITE_PICTURES=1 the file is written.
#[track_caller]
fn is_like(name: &str, picture: &str) {
    let file = format!("{}/src/cli/top/view/tests/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("WXGATE_WRITE_PICTURES").is_some() {
        std::fs::write(&file, picture).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    assert!(picture == expected, "{name} is\n{picture}\nand was\n{expected}");
}

#[test]
fn the_picture_of_80_columns() {
    is_like("80x24", &text(&drawn(view(Some(&figures())), 80, 24)));
}

#[test]
fn the_picture_of_200_columns() {
    is_like("200x50", &text(&drawn(view(Some(&figures())), 200, 50)));
}

#[test]
fn what_is_wrong_is_said_at_the_top() {
    let mut figures = figures();
    figures.state.blocked = vec![("store".to_owned(), "no connection".to_owned())];
    figures.state.failed = 2;
    figures.state.failure = Some("gateway.toml:7:1: unknown key \"x\" in [server]".to_owned());
    figures.store.up = false;
    figures.process.turned_away = Some(3.0);
    is_like("troubles-80x24", &text(&drawn(view(Some(&figures)), 80, 24)));
}

#[test]
fn a_gateway_that_went_away_is_said_and_what_it_said_last_stays() {
    let figures = figures();
    let lost = View { lost: Some((75, "nobody listens there")), ..view(Some(&figures)) };
    let picture = text(&drawn(lost, 80, 24));
    let first = picture.lines().next().unwrap();
    assert!(first.contains("NO ANSWER for 1m 15s: nobody listens there; trying again"), "{first}");
    assert!(picture.contains("/api/**"), "{picture}");
    let never = View { lost: Some((0, "nobody listens there")), ..view(None) };
    assert!(text(&drawn(never, 80, 24)).contains("NO ANSWER for 0s"));
    assert!(text(&drawn(view(None), 80, 24)).contains("asking …"));
}

#[test]
fn routes_are_sorted_and_scrolled() {
    let figures = figures();
    let order = |screen: Screen| {
        let picture = text(&drawn(View { screen, ..view(Some(&figures)) }, 80, 24));
        let rows = picture.lines().skip_while(|line| !line.starts_with("ROUTE")).skip(1);
        let rows = rows.take_while(|line| !line.starts_with("UPSTREAM"));
        rows.map(|line| line.split("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut screen = Screen::default();
    assert_eq!(order(screen)[..2], ["/api/**", "/static/**"]);
    screen.sort = Sort::Tail;
    assert!(order(screen)[0].starts_with("/api/reports"), "{:?}", order(screen));
    screen.sort = Sort::ClientErrors;
    assert_eq!(order(screen)[0], "(no route)");
    screen.sort = Sort::Path;
    let all = order(screen);
    assert_eq!(all[0], "(no route)");
    for _ in 0..9 {
        screen.press(Key::Down, figures.routes.len());
    }
    assert_eq!(order(screen).last(), Some(&"/wxLogin".to_owned()));
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let figures = figures();
    let plain = View { look: Look { colour: false }, ..view(Some(&figures)) };
    let (with, without) = (drawn(view(Some(&figures)), 80, 24), drawn(plain, 80, 24));
    assert_eq!(text(&with), text(&without));
    let coloured = |buffer: &Buffer| buffer.content().iter().any(|cell| cell.fg != Color::Reset);
    assert!(coloured(&with) && !coloured(&without));
    assert!(without.content().iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)));
}

#[test]
fn no_terminal_is_too_small() {
    let figures = figures();
    let screen = Screen { help: true, ..Screen::default() };
    for (width, height) in [(1, 1), (10, 3), (40, 8), (139, 9), (140, 3), (500, 200)] {
        drawn(view(Some(&figures)), width, height);
        drawn(View { screen, ..view(Some(&figures)) }, width, height);
    }
    let help = text(&drawn(View { screen, ..view(Some(&figures)) }, 80, 24));
    assert!(help.contains("leave this help") && help.contains("Rates are per second"), "{help}");
}
