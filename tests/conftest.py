"""What the whole suite shares."""

pytest_plugins = ["support.postgres", "support.store_fixtures", "support.systemd"]
