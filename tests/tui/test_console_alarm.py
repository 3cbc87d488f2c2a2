"""The alarm of a lost head: the operator meets it before the work, and again before the signature."""

from support.driving import driving

from .conftest import MakeMorning

LOST = "event 812, which this account saw, is not in the record"


async def test_an_alarm_is_on_every_way(make_morning: MakeMorning) -> None:
    """Today, the run and the sign-off show it, in a word and not by colour alone: nobody signs unaware of it."""
    morning = make_morning(alarms=(LOST,))
    async with driving(morning) as driver:
        await driver.sees("[ALARM]", LOST)
        await driver.press("down", "enter")
        await driver.sees("1 pass", "[ALARM]", LOST)
        await driver.press("g")
        await driver.sees("performed by", "[ALARM]", LOST)
