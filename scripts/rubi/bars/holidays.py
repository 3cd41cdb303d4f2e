"""When New York's exchanges are closed."""

from pandas.tseries.holiday import (
    AbstractHolidayCalendar,
    GoodFriday,
    Holiday,
    USLaborDay,
    USMartinLutherKingJr,
    USMemorialDay,
    USPresidentsDay,
    USThanksgivingDay,
    nearest_workday,
    sunday_to_monday,
)


class NewYorkDays(AbstractHolidayCalendar):
    """Days on which New York's exchanges were closed: a New Year on Saturday is not made up for."""

    rules = (
        Holiday("New Year", month=1, day=1, observance=sunday_to_monday),
        USMartinLutherKingJr, USPresidentsDay, GoodFriday, USMemorialDay,
        Holiday("Independence Day", month=7, day=4, observance=nearest_workday),
        USLaborDay, USThanksgivingDay,
        Holiday("Christmas", month=12, day=25, observance=nearest_workday),
        Holiday("Mourning for President Ford", year=2007, month=1, day=2),
        Holiday("Hurricane Sandy", year=2012, month=10, day=29),
        Holiday("Hurricane Sandy", year=2012, month=10, day=30),
    )  # fmt: skip
