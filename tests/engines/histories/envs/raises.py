raise RuntimeError("no settings for postgresql://app:hunter22@db/shop")
