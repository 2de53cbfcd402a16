"""What each segment is and what to do about it, in words that a company edits under `[segments.treatments]`."""

from collections.abc import Mapping

from crm_analysis.messages import N_
from crm_analysis.segment_rules import NOT_KNOWN, Treatment

# A name that two divisions share (new, at risk, lost) is worded so that it is right in both.
DEFAULT_TREATMENTS: Mapping[str, Treatment] = {
    "platinum": Treatment(
        N_("The few customers who will bring most."),
        N_("Know each by name, give one person the care of them, and ask them before changing what they buy."),
    ),
    "gold": Treatment(
        N_("Customers of high value below the top."),
        N_("Offer what platinum customers buy and these do not; reward staying rather than single orders."),
    ),
    "iron": Treatment(
        N_("Customers of modest value who keep the volume up."),
        N_("Serve well at low cost; invite to a second product or a higher rhythm."),
    ),
    "lead": Treatment(
        N_("Customers who will bring little, or cost more than they bring."),
        N_("Serve by low-cost channels, review prices and terms, and spend nothing on keeping those who cost money."),
    ),
    "high": Treatment(
        N_("The customers of highest value."), N_("Protect first: personal care, early word of changes.")
    ),
    "middle": Treatment(N_("Customers of middling value."), N_("Develop: a second product, a higher rhythm.")),
    "low": Treatment(N_("Customers of little or no value to come."), N_("Serve at low cost; review prices and terms.")),
    "target": Treatment(N_("Chosen, not yet approached."), N_("Approach those most like the best customers first.")),
    "prospect": Treatment(
        N_("In talks, not yet a customer."), N_("Answer quickly, and agree on the next step each time.")
    ),
    "new": Treatment(
        N_("Bought for the first time a short while ago."),
        N_("Welcome, see that the first purchase worked out, and give a reason for the second."),
    ),
    "active": Treatment(N_("Buys as expected."), N_("Keep the promise, thank, and do not disturb with discounts.")),
    "won back": Treatment(
        N_("Bought again after being counted as lost."),
        N_("Find out what brought them back, and treat as new: the second purchase decides."),
    ),
    "at risk": Treatment(
        N_("Silent for longer than is usual; may be leaving."),
        N_("Ask why, solve open complaints first, and make one good offer soon."),
    ),
    "lost": Treatment(
        N_("Silent for so long that a return is unlikely."),
        N_("Ask the most valuable for the reason; to the others write seldom and at low cost."),
    ),
    "champions": Treatment(
        N_("Bought lately, often and for much."), N_("Thank, show new products first, and ask for recommendations.")
    ),
    "loyal": Treatment(
        N_("Come back often and spend well."), N_("Reward staying, and offer what goes with their purchases.")
    ),
    "potential loyalist": Treatment(
        N_("Bought lately, a few times."), N_("Invite to the club or subscription, and suggest the next product.")
    ),
    "promising": Treatment(N_("Bought rather lately, once and for little."), N_("Give a reason to come back soon.")),
    "need attention": Treatment(
        N_("Middling in every way and cooling off."), N_("Remind, with an offer that suits what they bought.")
    ),
    "about to sleep": Treatment(
        N_("Bought seldom and not lately."), N_("Remind before the usual gap is over; stop when nothing comes of it.")
    ),
    "cannot lose": Treatment(
        N_("Bought often and for much, but not for long."), N_("Call in person, and find out what happened.")
    ),
    "hibernating": Treatment(N_("Bought seldom, for little, long ago."), N_("Write seldom and at low cost.")),
    "basic": Treatment(N_("Many customers of low margin."), N_("Sell well, and no more than that.")),
    "reactive": Treatment(
        N_("Customers who want an answer when they ask."), N_("Invite questions and complaints, and answer them all.")
    ),
    "accountable": Treatment(
        N_("Customers worth a call after the sale."),
        N_("Ask after each sale whether all is well and what could be better."),
    ),
    "proactive": Treatment(
        N_("Customers worth regular contact."), N_("Call from time to time with improvements and new uses.")
    ),
    "partnership": Treatment(
        N_("Few customers of high margin."), N_("Work with each on how both can do better; plan together.")
    ),
    NOT_KNOWN: Treatment(
        N_("Customers of whom this is not recorded."),
        N_("Record it at the next contact; compare the others with care."),
    ),
}

# What members are in place of buyers.
MEMBER_TREATMENTS: Mapping[str, Treatment] = {
    "new": Treatment(
        N_("Members for the first time, since a short while ago."),
        N_("Welcome, show what there is, and see that they come to use it: the first renewal is the hardest."),
    ),
    "won back": Treatment(
        N_("Members again after having left."),
        N_("Find out what brought them back, and treat as new: the next renewal decides."),
    ),
    "due soon": Treatment(
        N_("Members whose renewal is near."),
        N_("Ask whether all is well before the renewal comes, the most valuable in person."),
    ),
    "active": Treatment(
        N_("Members with some time until their renewal."), N_("Keep the promise, and watch who stops coming.")
    ),
    "lost": Treatment(
        N_("Had a contract once, and have none now."),
        N_("Ask the most valuable for the reason; to the others write seldom and at low cost."),
    ),
}
