"""The words of each chapter: findings, captions and notes, made from the numbers they speak of."""
