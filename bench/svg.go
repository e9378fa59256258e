package main

func writeSVG(string, *bench) error { return nil }
