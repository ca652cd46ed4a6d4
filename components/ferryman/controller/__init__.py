"""One controller a group decides every rollout; the group process hosts it beside agents and servers."""
