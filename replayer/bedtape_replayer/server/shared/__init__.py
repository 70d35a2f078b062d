"""State that several servers share: sessions in Valkey or Redis."""
